#pragma once

#include "nearfar/loops/range.hpp"

/// \file
/// Vector code of the contrastive loss with weighted negatives: two exponentials a score.

namespace nearfar::detail {

/// For x = (s - best) / tau: exp(x), and the negative's weight exp(beta x).
template <class S>
struct HardNegativeRates {
  S inverse;        ///< 1 / tau
  S concentration;  ///< beta
};

struct HardNegativeSums {
  double hardened;  ///< of exp(x) times weights
  double weights;
};

/// A negative's gradient is weight * (plain e + (hardened e - weights)), e = exp(x). The part in
/// parentheses, which beta multiplies, is 0 if all negatives are equally near.
template <class S>
struct HardNegativeFactors {
  S plain;
  S hardened;
  S weights;
};

template <class S>
struct HardNegativeLoops {
  HardNegativeSums (*sums)(Index n, const S* s, S best, const HardNegativeRates<S>& rates);
  /// Sets g by HardNegativeFactors; returns the sum of g s.
  double (*gradient)(Index n, const S* s, S best, const HardNegativeRates<S>& rates,
                     const HardNegativeFactors<S>& factors, S* g);
};

template <class S>
const HardNegativeLoops<S>& hard_negative_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/hard_negative.hpp"
#endif
