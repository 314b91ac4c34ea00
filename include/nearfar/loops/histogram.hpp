#pragma once

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of histograms of cosines with soft bins.

namespace nearfar::detail {

template <class S>
struct HistogramLoops {
  /// For n cosines s, each at c = (1 - s) bins / 2. A score counts in the two integers next to c,
  /// linearly; its part in bins up to b is min(max(b + 1 - c, 0), 1). Adds these sums, b = 0 ..
  /// bins - 1, to `positives` or `negatives`.
  void (*add)(Index n, const S* s, const PositiveMask<S>& mask, Index bins, double* positives,
              double* negatives);
};

template <class S>
const HistogramLoops<S>& histogram_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/histogram.hpp"
#endif
