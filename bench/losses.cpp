#include <nearfar/nearfar.hpp>

#include "support/case.hpp"

/// Each loss beside the same loss written the textbook way in Eigen, with the whole score matrix.

namespace {

using bench::count;
using bench::name_of;
using bench::normal_rows;
using nearfar::Index;
using nearfar::Matrix;

template <class S>
void info_nce(benchmark::State& state, bool gradients, Index n, Index d, int threads) {
  const Matrix<S> queries = normal_rows<S>(n, d, 1);
  const Matrix<S> keys = queries + normal_rows<S>(n, d, 2);
  Matrix<S> d_queries;
  Matrix<S> d_keys;
  nearfar::Workspace workspace(threads);
  const nearfar::InfoNce<S> loss({.temperature = 0.1});
  for (auto _ : state) {
    const auto result = gradients ? loss.forward_backward(queries, keys, d_queries, d_keys,
                                                          {.workspace = &workspace})
                                  : loss.forward(queries, keys, {.workspace = &workspace});
    benchmark::DoNotOptimize(result.value);
  }
  const auto products = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(d);
  count<S>(state, (gradients ? 6 : 2) * products, threads);
  state.counters["extra_bytes"] = static_cast<double>(workspace.bytes());
}

template <class S>
void dense_info_nce(benchmark::State& state, Index n, Index d, int threads) {
  const Matrix<S> queries = normal_rows<S>(n, d, 1);
  const Matrix<S> keys = queries + normal_rows<S>(n, d, 2);
  const S temperature = S(0.1);
  Eigen::setNbThreads(threads);
  for (auto _ : state) {
    const nearfar::Vector<S> query_norms = queries.rowwise().norm();
    const nearfar::Vector<S> key_norms = keys.rowwise().norm();
    const Matrix<S> q = query_norms.cwiseInverse().asDiagonal() * queries;
    const Matrix<S> k = key_norms.cwiseInverse().asDiagonal() * keys;
    Matrix<S> p = q * k.transpose() / temperature;
    const nearfar::Vector<S> best = p.rowwise().maxCoeff();
    const nearfar::Vector<S> own = p.diagonal();
    p = (p.colwise() - best).array().exp();
    const nearfar::Vector<S> sums = p.rowwise().sum();
    S value = (sums.array().log() + best.array() - own.array()).mean();
    p = (sums * temperature * static_cast<S>(n)).cwiseInverse().asDiagonal() * p;
    p.diagonal().array() -= 1 / (temperature * static_cast<S>(n));
    const auto through_norm = [](const Matrix<S>& unit, const Matrix<S>& gradient,
                                 const nearfar::Vector<S>& norms) {
      const nearfar::Vector<S> along = unit.cwiseProduct(gradient).rowwise().sum();
      return Matrix<S>(norms.cwiseInverse().asDiagonal() * (gradient - along.asDiagonal() * unit));
    };
    const Matrix<S> dq = through_norm(q, p * k, query_norms);
    const Matrix<S> dk = through_norm(k, p.transpose() * q, key_norms);
    benchmark::DoNotOptimize(value);
    benchmark::DoNotOptimize(dq.data());
    benchmark::DoNotOptimize(dk.data());
  }
  Eigen::setNbThreads(0);
  const auto size = static_cast<double>(n);
  count<S>(state, 6 * size * size * static_cast<double>(d), threads);
  state.counters["extra_bytes"] = size * size * sizeof(S);
}

template <class S>
void hadsell(benchmark::State& state, bool gradients, Index n, Index d, int threads) {
  const Matrix<S> x = normal_rows<S>(n, d, 1);
  std::vector<int> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i % 10);
  Matrix<S> dx;
  nearfar::Workspace workspace(threads);
  const nearfar::HadsellContrastive<S> loss({.margin = std::sqrt(2.0 * static_cast<double>(d))});
  for (auto _ : state) {
    const auto result = gradients ? loss.forward_backward(x, labels, dx, {.workspace = &workspace})
                                  : loss.forward(x, labels, {.workspace = &workspace});
    benchmark::DoNotOptimize(result.value);
  }
  const auto products = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(d);
  count<S>(state, (gradients ? 3 : 1) * products, threads);
  state.counters["extra_bytes"] = static_cast<double>(workspace.bytes());
}

/// Losses over labels, 32 classes; floor: the products of scores and gradients.
template <class S, class Loss>
void over_labels(benchmark::State& state, const Loss& loss, double products, Index n, Index d,
                 int threads) {
  const Matrix<S> x = normal_rows<S>(n, d, 1);
  std::vector<int> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i % 32);
  Matrix<S> dx;
  nearfar::Workspace workspace(threads);
  for (auto _ : state) {
    const auto result = loss.forward_backward(x, labels, dx, {.workspace = &workspace});
    benchmark::DoNotOptimize(result.value);
  }
  const auto size = static_cast<double>(n);
  count<S>(state, products * size * size * static_cast<double>(d), threads);
  state.counters["extra_bytes"] = static_cast<double>(workspace.bytes());
}

template <class S>
void add_labelled(Index n, Index d, int threads) {
  const auto add = [=](const char* name, const auto& loss, double products) {
    benchmark::RegisterBenchmark(
        name_of<S>(name, "forward_backward", n, d, threads).c_str(),
        [=](benchmark::State& state) { over_labels<S>(state, loss, products, n, d, threads); })
        ->UseRealTime();
  };
  using nearfar::Mining;
  // Distances of normal rows are about sqrt(2 d): a margin of a tenth leaves triplets of each kind.
  const double margin = std::sqrt(2.0 * static_cast<double>(d)) / 10;
  const auto mined = [=](Mining mining) {
    return nearfar::MinedTriplet<S>({.margin = margin, .mining = mining});
  };
  add("MinedTriplet_all", mined(Mining::all), 6);
  add("MinedTriplet_semihard", mined(Mining::semihard), 6);
  add("MinedTriplet_batch_hard", mined(Mining::batch_hard), 2);
  add("SupCon", nearfar::SupCon<S>(), 6);
  add("MultiSimilarity", nearfar::MultiSimilarity<S>(), 6);
}

template <class S>
void add(Index n, Index d, int threads) {
  const auto direction = [](bool gradients) { return gradients ? "forward_backward" : "forward"; };
  for (const bool gradients : {true, false}) {
    benchmark::RegisterBenchmark(
        name_of<S>("InfoNce", direction(gradients), n, d, threads).c_str(),
        [=](benchmark::State& state) { info_nce<S>(state, gradients, n, d, threads); })
        ->UseRealTime();
    benchmark::RegisterBenchmark(
        name_of<S>("HadsellContrastive", direction(gradients), n, d, threads).c_str(),
        [=](benchmark::State& state) { hadsell<S>(state, gradients, n, d, threads); })
        ->UseRealTime();
  }
  benchmark::RegisterBenchmark(
      name_of<S>("dense_eigen/InfoNce", "forward_backward", n, d, threads).c_str(),
      [=](benchmark::State& state) { dense_info_nce<S>(state, n, d, threads); })
      ->UseRealTime();
}

const bool added = [] {
  for (const int threads : {1, 2}) {
    for (const Index d : {64, 128, 256, 512}) add<float>(4096, d, threads);
    for (const Index n : {512, 1024, 2048}) add<float>(n, 128, threads);
    add<double>(4096, 128, threads);
    add_labelled<float>(1024, 128, threads);
    add_labelled<float>(4096, 128, threads);
    add_labelled<float>(16384, 128, threads);
  }
  return true;
}();

}  // namespace
