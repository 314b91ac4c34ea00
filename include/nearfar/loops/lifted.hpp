#pragma once

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of the lifted structured loss: log-sum-exps over a row's negatives, and over those
/// of the two rows of a pair. Nearness is sign * score.

namespace nearfar::detail {

template <class S>
struct LiftedLoops {
  /// The largest nearness of a negative; -infinity without negatives.
  S (*largest_negative)(Index n, const S* s, int sign, const PositiveMask<S>& positives);
  /// The sum of exp(nearness - best) over negatives.
  double (*negative_sum)(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best);
  /// Sets g to weight * exp(nearness - best) for a negative, to 0 for a positive.
  void (*negative_gradient)(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best,
                            S weight, S* g);
  /// Sets each of n numbers l to log(exp(own) + exp(l)), and share to the part of exp(own) in the
  /// sum. Numbers may be -infinity; of two of them the logarithm is -infinity, too.
  void (*sums_of_pairs)(Index n, double own, double* l, double* share);
};

template <class S>
const LiftedLoops<S>& lifted_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/lifted.hpp"
#endif
