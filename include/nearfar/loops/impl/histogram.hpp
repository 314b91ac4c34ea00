#pragma once

#include "nearfar/loops/histogram.hpp"
#include "nearfar/loops/impl/scores.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// The sums of up to `count` bins from `first` on: several at once, because each score is read for
/// them.
template <int count, class S>
NEARFAR_ALWAYS_INLINE void add_to_bins(Index n, const S* s, const PositiveMask<S>& mask, S half,
                                       Index first, double* positives, double* negatives) {
  ElementSum<S> positive[count];
  ElementSum<S> negative[count];
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T one = constant<T>(1);
    const T c = (one - load<T>(s + j)) * spread<T>(half);
    for (int b = 0; b < count; ++b) {
      const T end = spread<T>(static_cast<S>(first + b + 1));
      const T share = min(max(end - c, zero), one);
      positive[b] += if_positive(mask, j, share, zero);
      negative[b] += if_positive(mask, j, zero, share);
    }
  });
  for (int b = 0; b < count; ++b) {
    positives[first + b] += positive[b].total();
    negatives[first + b] += negative[b].total();
  }
}

template <class S>
void histogram_add(Index n, const S* s, const PositiveMask<S>& mask, Index bins, double* positives,
                   double* negatives) {
  const S half = static_cast<S>(bins) / 2;
  Index b = 0;
  for (; b + 4 <= bins; b += 4) add_to_bins<4>(n, s, mask, half, b, positives, negatives);
  for (; b < bins; ++b) add_to_bins<1>(n, s, mask, half, b, positives, negatives);
}

template <class S>
inline constexpr HistogramLoops<S> histogram_loops_here = {.add = &histogram_add<S>};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const HistogramLoops<S>& histogram_loops() {
  return histogram_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
