#pragma once

#include <algorithm>
#include <limits>
#include <memory>

#include "nearfar/core/result.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/loops/scores.hpp"

/// \file
/// The diagnostics of scores.

namespace nearfar::detail {

/// The smallest and largest of some scores, and the number of zero distances.
template <class S>
struct ScoreRange {
  S smallest = std::numeric_limits<S>::infinity();
  S largest = -std::numeric_limits<S>::infinity();
  Index zeros = 0;

  /// Adds n scores, each of which stands for `pairs` pairs; `distances`: whether they are
  /// distances.
  void fold(bool distances, Index n, const S* s, Index pairs = 1) {
    if (n == 0) return;
    const Range<S> range = score_loops<S>().range(n, s);
    fold(range);
    if (distances && range.smallest <= S(0)) zeros += pairs * score_loops<S>().count_zeros(n, s);
  }

  /// Adds all scores of `range`, none of them a zero distance.
  void fold(const Range<S>& range) {
    smallest = std::min(smallest, range.smallest);
    largest = std::max(largest, range.largest);
  }

  void add_to(Diagnostics& d) const {
    d.smallest_score = std::min(d.smallest_score, static_cast<double>(smallest));
    d.largest_score = std::max(d.largest_score, static_cast<double>(largest));
    d.zero_distances += zeros;
  }
};

/// A range for each of `rows` rows.
template <class S>
ScoreRange<S>* take_ranges(Scratch& scratch, Index rows) {
  auto* ranges = scratch.take<ScoreRange<S>>(rows);
  std::uninitialized_fill_n(ranges, rows, ScoreRange<S>());
  return ranges;
}

/// Adds n scores of a kernel to the diagnostics.
template <class S>
void fold_scores(const KernelValue<S>& kernel, Index n, const S* s, Diagnostics& d) {
  ScoreRange<S> range;
  range.fold(kernel.orientation == Orientation::distance, n, s);
  range.add_to(d);
}

}  // namespace nearfar::detail
