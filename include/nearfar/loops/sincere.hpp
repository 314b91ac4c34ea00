#pragma once

#include <cstdint>

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of SINCERE: each positive of an anchor against the sum over the anchor's negatives.
/// Nearness is sign * score. With `best` the nearest negative's and `sum` that of
/// exp((nearness - best) / tau) over negatives, a positive's loss is softplus(x),
/// x = (best + offset - nearness) / tau with offset = tau log(sum).

namespace nearfar::detail {

/// The sum over an anchor's negatives, as a nearness.
template <class S>
struct SincereNegatives {
  S best;
  S offset;
  S rate;  ///< log2(e) / tau
};

/// Sums over positives.
struct SincereSums {
  double behind;        ///< of max(0, tau x), the distance of a positive behind the negatives
  double rest;          ///< of softplus(x) - max(0, x)
  double slopes;        ///< of sigmoid(x)
  std::int64_t active;  ///< number of positives with a loss above 0
};

template <class S>
struct SincereLoops {
  /// Sums over n scores, all of positives.
  SincereSums (*sums)(Index n, const S* s, int sign, const SincereNegatives<S>& negatives);
  /// Sets g to of_positives sigmoid(x) for a positive, and to of_negatives
  /// exp((nearness - best) / tau) for a negative. Returns the sum of g (nearness - best).
  double (*gradient)(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                     const SincereNegatives<S>& negatives, S of_positives, S of_negatives, S* g);
};

template <class S>
const SincereLoops<S>& sincere_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/sincere.hpp"
#endif
