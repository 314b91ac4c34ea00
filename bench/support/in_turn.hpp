#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <span>
#include <vector>

/// \file
/// Times of cases that are compared.

namespace bench {

/// Milliseconds of each case, which run in turn; the best of `tries`.
inline std::vector<double> best_in_turn(std::span<const std::function<void()>> cases, int tries) {
  std::vector<double> best(cases.size(), std::numeric_limits<double>::infinity());
  for (int t = 0; t < tries; ++t) {
    for (std::size_t k = 0; k < cases.size(); ++k) {
      const auto begin = std::chrono::steady_clock::now();
      cases[k]();
      const std::chrono::duration<double, std::milli> time =
          std::chrono::steady_clock::now() - begin;
      best[k] = std::min(best[k], time.count());
    }
  }
  return best;
}

}  // namespace bench
