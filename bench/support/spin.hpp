#pragma once

#include <Eigen/Core>

/// \file
/// The reference speed: multiply-adds in registers, without other work.

namespace bench::BENCH_SET {

/// Multiply-adds of one thread: as many independent sums as registers hold, 24 or 12, without
/// memory. Returns their number in floating point operations.
template <class S>
double spin(long rounds) {
  using V = typename Eigen::internal::packet_traits<S>::type;
  constexpr int sums = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 24 : 12;
  // Read at run time, so that the compiler cannot compute the sums.
  const volatile S numbers[] = {S(0.999), S(0.001)};
  const V factor = Eigen::internal::pset1<V>(S(numbers[0]));
  const V offset = Eigen::internal::pset1<V>(S(numbers[1]));
  V sum[sums];
  for (V& s : sum) s = Eigen::internal::pset1<V>(S(1));
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 24
    for (int k = 0; k < sums; ++k) sum[k] = Eigen::internal::pmadd(sum[k], factor, offset);
  }
  for (int k = 1; k < sums; ++k) sum[0] = Eigen::internal::padd(sum[0], sum[k]);
  S total[sizeof(V) / sizeof(S)];
  Eigen::internal::pstoreu(total, sum[0]);
  // Used, so that the compiler keeps the loop.
  const volatile S sink = total[0];
  static_cast<void>(sink);
  constexpr double lanes = sizeof(V) / sizeof(S);
  return 2 * static_cast<double>(rounds) * sums * lanes;
}

}  // namespace bench::BENCH_SET
