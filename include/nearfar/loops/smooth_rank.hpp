#pragma once

#include "nearfar/loops/scores.hpp"
#include "nearfar/loops/triplets.hpp"

/// \file
/// Vector code of smooth ranks: the number of keys nearer than a given one, counted with sigmoids.

namespace nearfar::detail {

/// Sums of sigmoids over the keys of each role.
struct SmoothCounts {
  double positives;
  double negatives;
};

/// Sums of derivatives, and of these times the difference of the score and the ranked one.
struct SmoothSlopes {
  double sum;
  double moment;
};

/// Functions of n keys with scores s and roles, for the key whose score is `own`.
template <class S>
struct SmoothRankLoops {
  /// Sums of sigmoid(sign (s - own) / tau), with rate = log2(e) / tau. Sets `slopes` to the
  /// sigmoid's derivatives, and to 0 for keys without a role.
  SmoothCounts (*count)(Index n, const S* s, const S* role, int sign, S own, S rate, S* slopes);
  /// g += of_positives slope of a positive, of_negatives slope of a negative.
  SmoothSlopes (*add_gradient)(Index n, const S* s, const S* role, S own, const S* slopes,
                               S of_positives, S of_negatives, S* g);
};

template <class S>
const SmoothRankLoops<S>& smooth_rank_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/smooth_rank.hpp"
#endif
