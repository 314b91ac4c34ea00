#pragma once

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of lifted structure: log-sum-exps over a row's negatives. Nearness is sign * score.

namespace nearfar::detail {

template <class S>
struct LiftedLoops {
  /// The largest nearness of a negative; -infinity of none.
  S (*largest_negative)(Index n, const S* s, int sign, const PositiveMask<S>& positives);
  /// The sum of exp(nearness - best) over negatives.
  double (*negative_sum)(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best);
  /// g = weight * exp(nearness - best) of a negative, 0 of a positive.
  void (*negative_gradient)(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best,
                            S weight, S* g);
};

template <class S>
const LiftedLoops<S>& lifted_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/lifted.hpp"
#endif
