#include <nearfar/core/simd.hpp>

// Compiled once for each instruction set: BENCH_SET is its name.

namespace {

/// Multiply-adds of one thread: 24 independent sums (12 with 16 registers), no memory. Returns
/// their number in floating point operations.
template <class S>
double spin(long rounds) {
  using V = nearfar::detail::Vec<S>;
  constexpr int sums = nearfar::detail::vector_registers >= 32 ? 24 : 12;
  V sum[sums];
  for (V& s : sum) s = V::broadcast(S(1));
  // Read at run time: a compiler that knew them would do the sums itself.
  const volatile S numbers[] = {S(0.999), S(0.001)};
  const V factor = V::broadcast(numbers[0]);
  const V offset = V::broadcast(numbers[1]);
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

}  // namespace

#define BENCH_JOIN(a, b) a##b
#define BENCH_NAME(a, b) BENCH_JOIN(a, b)

double BENCH_NAME(bench_spin_float_, BENCH_SET)(long rounds);
double BENCH_NAME(bench_spin_double_, BENCH_SET)(long rounds);
double BENCH_NAME(bench_spin_float_, BENCH_SET)(long rounds) { return spin<float>(rounds); }
double BENCH_NAME(bench_spin_double_, BENCH_SET)(long rounds) { return spin<double>(rounds); }
