#pragma once

#include "nearfar/loops/linear_contrastive.hpp"

/// \file
/// Vector code of the ranked list loss: linear hinges of distances, weighted by exponentials of
/// themselves.

namespace nearfar::detail {

/// Hinges max(0, d - inner) of a positive and max(0, outer - d) of a negative, with weights
/// exp(rate (hinge - best of its kind)). A hinge of 0 has no weight.
struct RankedListForm {
  double inner;
  double outer;
  ByKind<double> rates;
};

/// Sums over the hinges of one kind that are above zero.
struct WeightedHinges {
  double weights;
  double hinges;  ///< each times its weight
};

template <class S>
struct RankedListLoops {
  /// The largest hinge of each kind; 0 if none is above zero.
  ByKind<S> (*largest)(Index n, const S* d, const PositiveMask<S>& positives,
                       const RankedListForm& form);
  ByKind<WeightedHinges> (*sums)(Index n, const S* d, const PositiveMask<S>& positives,
                                 const RankedListForm& form, const ByKind<S>& best);
  /// Sets g to the pair's weight times the slope of its kind.
  void (*gradient)(Index n, const S* d, const PositiveMask<S>& positives,
                   const RankedListForm& form, const ByKind<S>& best, const ByKind<S>& slopes,
                   S* g);
};

template <class S>
const RankedListLoops<S>& ranked_list_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/ranked_list.hpp"
#endif
