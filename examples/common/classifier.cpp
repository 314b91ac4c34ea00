#include "common/classifier.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/adam.hpp"
#include "common/batches.hpp"
#include "common/parallel.hpp"
#include "common/schedule.hpp"

namespace example {
namespace {

using Eigen::Index;

/// A copy of some samples' labels.
std::vector<std::uint8_t> picked(std::span<const std::uint8_t> labels,
                                 std::span<const std::size_t> which) {
  std::vector<std::uint8_t> out;
  out.reserve(which.size());
  for (const std::size_t i : which) out.push_back(labels[i]);
  return out;
}

}  // namespace

double cross_entropy(const Pixels& logits, std::span<const std::uint8_t> labels, Pixels& d_logits) {
  d_logits.resize(logits.rows(), logits.cols());
  const auto count = static_cast<double>(logits.rows());
  double sum = 0;
  for (Index i = 0; i < logits.rows(); ++i) {
    const float largest = logits.row(i).maxCoeff();
    const Index label = labels[static_cast<std::size_t>(i)];
    d_logits.row(i) = (logits.row(i).array() - largest).exp();
    const float total = d_logits.row(i).sum();
    sum += std::log(double{total}) - double{logits(i, label) - largest};
    d_logits.row(i) /= total;
    d_logits(i, label) -= 1;
  }
  d_logits /= static_cast<float>(count);
  return sum / count;
}

void train_classifier(Network<float>& network, const FillRow& fill,
                      std::span<const std::uint8_t> labels, const ClassifierOptions& options,
                      Random& random, const std::function<void(double)>& on_step) {
  ShuffledBatches batches(labels.size(), options.batch);
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(options.epochs);
  Adam<float> adam(network.parameters().size(), {.weight_decay = options.weight_decay});
  BatchPass pass(network);
  Pixels d_logits;
  for (std::size_t step = 0; step < steps; ++step) {
    const std::span<const std::size_t> which = batches.next(random);
    const Pixels& logits =
        pass.forward(which.size(), [&](std::size_t row, float* to) { fill(which[row], to); });
    const double loss = cross_entropy(logits, picked(labels, which), d_logits);
    adam.step(network.parameters(), pass.backward(d_logits),
              scheduled(options.learning_rate, step, steps));
    if (on_step) on_step(loss);
  }
}

double accuracy(const Network<float>& network, const FillRow& fill,
                std::span<const std::uint8_t> labels) {
  const Pixels logits = represent(network, labels.size(), fill);
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Index best = 0;
    logits.row(static_cast<Index>(i)).maxCoeff(&best);
    right += best == labels[i] ? 1 : 0;
  }
  return labels.empty() ? 0 : static_cast<double>(right) / static_cast<double>(labels.size());
}

double linear_probe(const Pixels& train, std::span<const std::uint8_t> train_labels,
                    const Pixels& test, std::span<const std::uint8_t> test_labels, Random random,
                    const ClassifierOptions& options) {
  // Sums in double, in row order. A column that never changes says nothing and stays as it is.
  const Index n = std::max<Index>(train.rows(), 1);
  Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(train.cols());
  Eigen::RowVectorXd square = mean;
  for (Index i = 0; i < train.rows(); ++i) mean += train.row(i).cast<double>();
  mean /= static_cast<double>(n);
  for (Index i = 0; i < train.rows(); ++i) {
    square += (train.row(i).cast<double>() - mean).array().square().matrix();
  }
  const Eigen::RowVectorXf shift = mean.cast<float>();
  const Eigen::RowVectorXf gain =
      (square / static_cast<double>(n))
          .unaryExpr([](double variance) { return variance > 0 ? 1 / std::sqrt(variance) : 1; })
          .cast<float>();
  const auto scaled_rows = [&](const Pixels& rows) -> FillRow {
    return [&](std::size_t row, float* to) {
      Eigen::Map<Eigen::RowVectorXf>(to, rows.cols()) =
          (rows.row(static_cast<Index>(row)) - shift).cwiseProduct(gain);
    };
  };
  const Index classes = 1 + Index{*std::max_element(train_labels.begin(), train_labels.end())};
  Network<float> probe(std::vector<Index>{train.cols(), classes}, random);
  train_classifier(probe, scaled_rows(train), train_labels, options, random);
  return accuracy(probe, scaled_rows(test), test_labels);
}

double tuned_linear_probe(const Pixels& train, std::span<const std::uint8_t> train_labels,
                          const Pixels& test, std::span<const std::uint8_t> test_labels,
                          Random random, ClassifierOptions options) {
  std::vector<std::size_t> order(train_labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  random.shuffle(order);
  const std::size_t held_back = order.size() / 5;
  const std::span<const std::size_t> all = order;
  const auto rows_of = [&](std::span<const std::size_t> which) {
    Pixels rows(static_cast<Index>(which.size()), train.cols());
    for (std::size_t i = 0; i < which.size(); ++i) {
      rows.row(static_cast<Index>(i)) = train.row(static_cast<Index>(which[i]));
    }
    return rows;
  };
  const Pixels judged = rows_of(all.first(held_back));
  const Pixels rest = rows_of(all.subspan(held_back));
  const std::vector<std::uint8_t> judged_labels = picked(train_labels, all.first(held_back));
  const std::vector<std::uint8_t> rest_labels = picked(train_labels, all.subspan(held_back));
  constexpr std::array<double, 4> decays = {0.01, 0.1, 1, 10};
  std::array<double, 4> scores{};
  parallel_for(static_cast<Index>(decays.size()), [&](Index d) {
    const auto at = static_cast<std::size_t>(d);
    ClassifierOptions tried = options;
    tried.weight_decay = decays[at];
    scores[at] = linear_probe(rest, rest_labels, judged, judged_labels, random, tried);
  });
  options.weight_decay = decays[static_cast<std::size_t>(
      std::max_element(scores.begin(), scores.end()) - scores.begin())];
  return linear_probe(train, train_labels, test, test_labels, random, options);
}

}  // namespace example
