#pragma once

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of Hadsell's contrastive loss. A pair at distance d has a length, d for a positive
/// and max(0, margin - d) for a negative: half its square is the pair's loss.

namespace nearfar::detail {

struct HadsellSums {
  double squares;  ///< of lengths
  Index active;    ///< lengths that are not 0
};

template <class S>
struct HadsellLoops {
  HadsellSums (*sums)(Index n, const S* s, const PositiveMask<S>& positives, S margin);
  /// Sets g to factor times the length of a positive, -factor times that of a negative.
  void (*gradient)(Index n, const S* s, const PositiveMask<S>& positives, S margin, S factor, S* g);
};

template <class S>
const HadsellLoops<S>& hadsell_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/hadsell.hpp"
#endif
