#pragma once

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of linear hinges on pairs: max(0, positive margin - s) of a positive and
/// max(0, s - negative margin) of a negative; for distances, whose sign is -1, with the opposite
/// sign.

namespace nearfar::detail {

/// One number each for positive and negative pairs.
template <class N>
struct ByKind {
  N positive;
  N negative;
};

struct LinearHinges {
  double sum;    ///< of hinges
  Index active;  ///< hinges above zero
};

template <class S>
struct LinearContrastiveLoops {
  ByKind<LinearHinges> (*sums)(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                               const ByKind<S>& margins);
  /// Sets g to the slope of the pair's kind if its hinge is above zero, else to 0.
  void (*gradient)(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                   const ByKind<S>& margins, const ByKind<S>& slopes, S* g);
};

template <class S>
const LinearContrastiveLoops<S>& linear_contrastive_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/linear_contrastive.hpp"
#endif
