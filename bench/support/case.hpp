#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>

#include "support/peak.hpp"

/// \file
/// What benchmarks have in common: names, and counters on a loss's floor.

namespace bench {

/// One size of one benchmark.
struct Size {
  std::ptrdiff_t n;
  std::ptrdiff_t d;
  int threads;
};

/// Operations that a loss can't do without, in units of N^2 D: what its products take.
struct Floor {
  double forward_backward;
  double forward;
};

template <class S>
constexpr const char* scalar_name = sizeof(S) == sizeof(float) ? "float" : "double";

/// "InfoNce/forward_backward/float/N:4096/D:128/threads:1"
template <class S>
std::string name_of(const std::string& loss, bool gradients, const Size& size) {
  return loss + (gradients ? "/forward_backward/" : "/forward/") + scalar_name<S> +
         "/N:" + std::to_string(size.n) + "/D:" + std::to_string(size.d) +
         "/threads:" + std::to_string(size.threads);
}

/// Times call() -> the loss's value, and adds the counters: floating point operations a second on
/// the floor, their share of the multiply-add peak as measured right before and after on the same
/// number of threads, the value (the same for all who compute the same loss) and `extra_bytes()`.
template <class S, class Call, class ExtraBytes>
void measure(benchmark::State& state, double units, const Size& size, const Call& call,
             const ExtraBytes& extra_bytes) {
  double value = call();  // what is allocated once, and first touches of memory, are not timed
  double peak = multiply_add_peak<S>(size.threads);
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    value = call();
    benchmark::DoNotOptimize(value);
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  peak = std::max(peak, multiply_add_peak<S>(size.threads));
  const double flops = units * static_cast<double>(size.n) * static_cast<double>(size.n) *
                       static_cast<double>(size.d) * static_cast<double>(state.iterations()) /
                       time.count();
  state.counters["flops"] = flops;
  state.counters["fma_peak_fraction"] = flops / peak;
  state.counters["value"] = value;
  state.counters["extra_bytes"] = static_cast<double>(extra_bytes());
}

}  // namespace bench
