#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/kernels/kernel.hpp"

/// \file
/// What diagnostics say of scores.

namespace nearfar::detail {

/// Smallest and largest of some scores, and how many of them are distances of zero.
template <class S, Kernel K>
struct Extremes {
  S smallest = std::numeric_limits<S>::infinity();
  S largest = -std::numeric_limits<S>::infinity();
  Index zeros = 0;

  Extremes() = default;
  Extremes(const S* s, Index n) { fold(s, n); }

  /// Each score stands for `pairs` of them.
  NEARFAR_NOT_INLINE void fold(const S* s, Index n, Index pairs = 1) {
    if (n == 0) return;
    const Range<S> range = range_of(s, n);
    smallest = std::min(smallest, range.smallest);
    largest = std::max(largest, range.largest);
    if (K::orientation == Orientation::distance && range.smallest <= S(0)) {
      zeros += pairs * std::count_if(s, s + n, [](S v) { return v <= S(0); });
    }
  }

  /// As fold of all the scores that `range` is of, where none can be a distance of zero.
  void fold(const Range<S>& range) {
    static_assert(K::orientation == Orientation::similarity);
    smallest = std::min(smallest, range.smallest);
    largest = std::max(largest, range.largest);
  }

  void add_to(Diagnostics& d) const {
    d.smallest_score = std::min(d.smallest_score, static_cast<double>(smallest));
    d.largest_score = std::max(d.largest_score, static_cast<double>(largest));
    d.zero_distances += zeros;
  }
};

/// Diagnostics that know of these scores alone.
template <Kernel K, class S>
Diagnostics score_extremes(const S* s, Index n) {
  Diagnostics d;
  Extremes<S, K>(s, n).add_to(d);
  return d;
}

}  // namespace nearfar::detail
