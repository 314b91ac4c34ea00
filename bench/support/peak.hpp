#pragma once

#include <algorithm>
#include <chrono>
#include <nearfar/core/parallel.hpp>
#include <nearfar/core/simd.hpp>
#include <vector>

/// \file
/// The yardstick: what the multiply-add units give when nothing else is asked of the processor.

namespace bench {

/// Multiply-adds of one thread: 24 independent sums (12 with 16 registers), no memory.
template <class S>
double spin(long rounds) {
  using V = nearfar::detail::Vec<S>;
  constexpr int sums = nearfar::detail::vector_registers >= 32 ? 24 : 12;
  V sum[sums];
  for (V& s : sum) s = V::broadcast(S(1));
  V factor = V::broadcast(S(0.999));
  V offset = V::broadcast(S(0.001));
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 24
    for (int k = 0; k < sums; ++k) sum[k] = nearfar::detail::multiply_add(sum[k], factor, offset);
  }
  S total = 0;
  for (const V& s : sum) total += s.sum();
  // Used, so that the loop is not thrown away.
  volatile S sink = total;
  static_cast<void>(sink);
  return 2.0 * static_cast<double>(rounds) * sums * V::lanes;
}

/// Floating point operations a second of `threads` threads, the best of a few tries; measured once
/// a process and number of threads, with the instruction set this program was compiled for.
template <class S>
double multiply_add_peak(int threads) {
  static std::vector<double> known(256, 0.0);
  double& peak = known[static_cast<std::size_t>(threads)];
  if (peak > 0) return peak;
  for (int attempt = 0; attempt < 7; ++attempt) {
    std::vector<double> flops(static_cast<std::size_t>(threads), 0.0);
    const auto start = std::chrono::steady_clock::now();
    nearfar::detail::parallel_tasks(threads, threads, [&](Eigen::Index t, int) {
      flops[static_cast<std::size_t>(t)] = spin<S>(2000000);
    });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    double all = 0;
    for (const double f : flops) all += f;
    peak = std::max(peak, all / time.count());
  }
  return peak;
}

}  // namespace bench
