#pragma once

#include <benchmark/benchmark.h>

#include <nearfar/core/matrix.hpp>
#include <random>
#include <string>

#include "support/peak.hpp"

/// \file
/// What benchmarks have in common: data, names and counters.

namespace bench {

/// Rows of independent normal numbers, the same in every run.
template <class S>
nearfar::Matrix<S> normal_rows(nearfar::Index rows, nearfar::Index cols, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  return nearfar::Matrix<S>::NullaryExpr(rows, cols,
                                         [&] { return static_cast<S>(normal(generator)); });
}

template <class S>
constexpr const char* scalar_name = sizeof(S) == sizeof(float) ? "float" : "double";

/// "InfoNce/forward_backward/float/N:4096/D:128/threads:1"
template <class S>
std::string name_of(const std::string& loss, const char* direction, nearfar::Index n,
                    nearfar::Index d, int threads) {
  return loss + "/" + direction + "/" + scalar_name<S> + "/N:" + std::to_string(n) +
         "/D:" + std::to_string(d) + "/threads:" + std::to_string(threads);
}

/// Adds the counters: floating point operations a second on the loss's floor, and their share of
/// the multiply-add peak at the same number of threads.
template <class S>
void count(benchmark::State& state, double floor_flops, int threads) {
  using benchmark::Counter;
  state.counters["flops"] = Counter(floor_flops, Counter::kIsIterationInvariantRate);
  state.counters["fma_peak_fraction"] =
      Counter(floor_flops / multiply_add_peak<S>(threads), Counter::kIsIterationInvariantRate);
}

}  // namespace bench
