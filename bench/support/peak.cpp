#include "support/peak.hpp"

#include <algorithm>
#include <chrono>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/core/parallel.hpp>
#include <type_traits>
#include <vector>

#define BENCH_DECLARE(set)             \
  double bench_spin_float_##set(long); \
  double bench_spin_double_##set(long);

#ifdef BENCH_DISPATCH
BENCH_DECLARE(baseline)
BENCH_DECLARE(avx2)
BENCH_DECLARE(avx512)
#else
BENCH_DECLARE(own)
#endif

namespace bench {

namespace {

using Spin = double (*)(long);

template <class S>
Spin spin() {
  constexpr bool single = std::is_same_v<S, float>;
#ifdef BENCH_DISPATCH
  switch (nearfar::active_instruction_set()) {
    case nearfar::InstructionSet::avx512:
      return single ? bench_spin_float_avx512 : bench_spin_double_avx512;
    case nearfar::InstructionSet::avx2:
      return single ? bench_spin_float_avx2 : bench_spin_double_avx2;
    case nearfar::InstructionSet::baseline:
      break;
  }
  return single ? bench_spin_float_baseline : bench_spin_double_baseline;
#else
  return single ? bench_spin_float_own : bench_spin_double_own;
#endif
}

}  // namespace

template <class S>
double multiply_add_peak(int threads) {
  double peak = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    std::vector<double> flops(static_cast<std::size_t>(threads), 0.0);
    const auto start = std::chrono::steady_clock::now();
    nearfar::detail::parallel_tasks(threads, threads, [&](Eigen::Index t, int) {
      flops[static_cast<std::size_t>(t)] = spin<S>()(500000);
    });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    double all = 0;
    for (const double f : flops) all += f;
    peak = std::max(peak, all / time.count());
  }
  return peak;
}

template double multiply_add_peak<float>(int threads);
template double multiply_add_peak<double>(int threads);

}  // namespace bench
