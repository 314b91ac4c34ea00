#include "common/classifier.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "common/parallel.hpp"

namespace example_test {
namespace {

using namespace example;
using Eigen::Index;

/// Rows whose class changes one direction, under noise.
struct Samples {
  Pixels rows;
  std::vector<std::uint8_t> labels;

  Samples(Index count, std::uint64_t seed) : rows(count, 12) {
    Random random(seed);
    for (Index i = 0; i < count; ++i) {
      labels.push_back(static_cast<std::uint8_t>(random.below(3)));
      for (Index k = 0; k < 12; ++k) rows(i, k) = static_cast<float>(random.normal());
      rows(i, labels.back()) += 3;
    }
    rows.col(11).setConstant(7);  // no information, and no variance to divide by
  }

  FillRow fill() const {
    return [this](std::size_t row, float* to) {
      Eigen::Map<Eigen::RowVectorXf>(to, rows.cols()) = rows.row(static_cast<Index>(row));
    };
  }
};

TEST(CrossEntropy, HasTheDerivativesOfItsValue) {
  Pixels logits(4, 3);
  logits << 1, 2, -1, 0, 0, 0, 30, -30, 5, -2, 0.5f, 1;
  const std::vector<std::uint8_t> labels = {1, 0, 2, 2};
  Pixels gradient;
  const double value = cross_entropy(logits, labels, gradient);
  long double want = 0;
  for (Index i = 0; i < 4; ++i) {
    long double total = 0;
    for (Index c = 0; c < 3; ++c) total += std::exp(static_cast<long double>(logits(i, c)));
    const Index label = labels[static_cast<std::size_t>(i)];
    want += (std::log(total) - logits(i, label)) / 4;
    for (Index c = 0; c < 3; ++c) {
      const long double p = std::exp(static_cast<long double>(logits(i, c))) / total;
      EXPECT_NEAR(gradient(i, c), static_cast<float>((p - (c == label ? 1 : 0)) / 4), 1e-6f);
    }
  }
  EXPECT_NEAR(value, static_cast<double>(want), 1e-6);
}

TEST(Classifier, LearnsLinearlySeparableClasses) {
  const Samples train(600, 1);
  const Samples test(300, 2);
  const double probe = linear_probe(train.rows, train.labels, test.rows, test.labels, Random(3),
                                    {.batch = 32, .learning_rate = 0.02});
  EXPECT_GT(probe, 0.9);
  EXPECT_LE(probe, 1.0);
  // Without the informative directions the accuracy is by chance, a third.
  const Pixels blind_train = train.rows.rightCols(8);
  const Pixels blind_test = test.rows.rightCols(8);
  EXPECT_LT(linear_probe(blind_train, train.labels, blind_test, test.labels, Random(3),
                         {.batch = 32, .learning_rate = 0.02}),
            0.5);
}

/// Rows of three classes, with columns of noise beside.
Pixels with_noise(const Samples& samples, Index columns, std::uint64_t seed) {
  Pixels rows(samples.rows.rows(), 3 + columns);
  Random random(seed);
  for (Index i = 0; i < rows.rows(); ++i) {
    for (Index c = 0; c < rows.cols(); ++c) {
      rows(i, c) = c < 3 ? samples.rows(i, c) / 2 : static_cast<float>(random.normal());
    }
  }
  return rows;
}

TEST(Classifier, TunedProbeChoosesTheDecayThatHelps) {
  const Samples test(2000, 2);
  const auto accuracies = [&](Index count, Index noise) {
    const Samples train(count, 1);
    const Pixels train_rows = with_noise(train, noise, 3);
    const Pixels test_rows = with_noise(test, noise, 4);
    const auto probe = [&](double decay) {
      return linear_probe(
          train_rows, train.labels, test_rows, test.labels, Random(5),
          {.epochs = 60, .batch = 32, .learning_rate = 0.01, .weight_decay = decay});
    };
    return std::array<double, 3>{
        probe(0.01), probe(10),
        example::tuned_linear_probe(train_rows, train.labels, test_rows, test.labels, Random(5),
                                    {.epochs = 60, .batch = 32, .learning_rate = 0.01})};
  };
  // Few steps: decay takes away the weights drawn at the start.
  const auto [few_weak, few_strong, few_tuned] = accuracies(120, 0);
  EXPECT_GT(few_strong, few_weak + 0.05);
  EXPECT_GT(few_tuned, few_weak + 0.05);
  // Many columns of noise: a strong decay hurts.
  const auto [many_weak, many_strong, many_tuned] = accuracies(400, 60);
  EXPECT_GT(many_weak, many_strong + 0.05);
  EXPECT_GT(many_tuned, many_strong + 0.05);
}

TEST(Classifier, LearnsTheSameAtAnyNumberOfThreads) {
  const Samples train(500, 4);
  std::vector<Network<float>::Vector> learnt;
  std::vector<double> losses;
  for (const int threads : {1, 2, 3}) {
    use_threads(threads);
    Random random(5);
    Network<float> network(std::vector<Index>{12, 16, 3}, random);
    std::vector<double> seen;
    train_classifier(network, train.fill(), train.labels,
                     {.epochs = 3, .batch = 150, .learning_rate = 0.02}, random,
                     [&](double loss) { seen.push_back(loss); });
    learnt.push_back(network.parameters());
    ASSERT_EQ(seen.size(), 9u);
    EXPECT_LT(seen.back(), seen.front());
    losses.push_back(seen.back());
  }
  use_threads(1);
  EXPECT_EQ(learnt[0], learnt[1]);
  EXPECT_EQ(learnt[0], learnt[2]);
  EXPECT_EQ(losses[0], losses[1]);
}

TEST(BatchPass, IsTheNetworkShardByShard) {
  const Samples samples(200, 6);
  Random random(7);
  const Network<float> network(std::vector<Index>{12, 9, 4}, random);
  Network<float>::Tape tape;
  const Pixels whole = network.forward(samples.rows, tape);
  const Pixels hidden = tape.outputs[0];
  BatchPass pass(network);
  EXPECT_LT((pass.forward(200, samples.fill()) - whole).norm(), 1e-5f * whole.norm());
  EXPECT_LT((pass.forward(200, samples.fill(), 0) - hidden).norm(), 1e-5f * hidden.norm());
  Network<float>::Vector want;
  network.backward(samples.rows, tape, whole, want);
  pass.forward(200, samples.fill());
  EXPECT_LT((pass.backward(whole) - want).norm(), 1e-5f * want.norm());
  // Fewer rows than before: the results of the earlier call are discarded.
  const Pixels some = pass.forward(70, samples.fill());
  EXPECT_LT((some - whole.topRows(70)).norm(), 1e-5f * whole.norm());
  EXPECT_LT((represent(network, 200, samples.fill(), 0) - hidden).norm(), 1e-5f * hidden.norm());
}

}  // namespace
}  // namespace example_test
