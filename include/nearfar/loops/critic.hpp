#pragma once

#include "nearfar/loops/range.hpp"

/// \file
/// Vector code of bounds on mutual information: exponentials of a critic's values.

namespace nearfar::detail {

struct CriticSums {
  double exponentials;
  double scores;
};

/// A critic's value is rate * s; exponentials are exp(rate * s - best).
template <class S>
struct CriticLoops {
  /// Sums of the exponentials of n scores, and of the scores.
  CriticSums (*sums)(Index n, const S* s, S rate, S best);
  /// Sets g to factor times the exponential; returns the sum of g s.
  double (*gradient)(Index n, const S* s, S rate, S best, S factor, S* g);
};

template <class S>
const CriticLoops<S>& critic_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/critic.hpp"
#endif
