#include "support/sets.hpp"

#include <algorithm>
#include <chrono>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/core/parallel.hpp>
#include <vector>

namespace bench {

#define BENCH_DECLARE(set)   \
  namespace set {            \
  template <class S>         \
  const OfSet<S>& of_this(); \
  }

#ifdef BENCH_DISPATCH
BENCH_DECLARE(baseline)
BENCH_DECLARE(avx2)
BENCH_DECLARE(avx512)
#else
BENCH_DECLARE(own)
#endif

template <class S>
const OfSet<S>& of_active_set() {
#ifdef BENCH_DISPATCH
  switch (nearfar::active_instruction_set()) {
    case nearfar::InstructionSet::avx512:
      return avx512::of_this<S>();
    case nearfar::InstructionSet::avx2:
      return avx2::of_this<S>();
    case nearfar::InstructionSet::baseline:
      break;
  }
  return baseline::of_this<S>();
#else
  return own::of_this<S>();
#endif
}

template const OfSet<float>& of_active_set();
template const OfSet<double>& of_active_set();

template <class S>
double multiply_add_peak(int threads) {
  double peak = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::vector<double> flops(static_cast<std::size_t>(threads), 0.0);
    const auto start = std::chrono::steady_clock::now();
    nearfar::detail::parallel_tasks(threads, threads, [&](Eigen::Index t, int) {
      flops[static_cast<std::size_t>(t)] = of_active_set<S>().spin(300000);
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
