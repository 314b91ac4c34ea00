#pragma once

#include <cstdint>

#include "nearfar/loops/range.hpp"

/// \file
/// Vector code over some scores of one row: from inner products to scores, and from the loss's
/// derivatives to the weights of the gradient products.

namespace nearfar::detail {

/// The positives of a query: key k is one if key[k] equals own.
template <class S>
struct PositiveMask {
  S own;
  const S* key;
};

/// A range of merits from `least` to `most`. The merit of a score is the score times a factor.
template <class S>
struct MeritRange {
  S factor;
  S least;
  S most;
};

template <class S>
struct ScoreLoops {
  /// The range of n scores, n > 0.
  Range<S> (*range)(Index n, const S* s);
  /// The number of scores that are at most zero.
  Index (*count_zeros)(Index n, const S* s);
  /// Writes the positions of the scores whose merits are in the range, in order, and returns their
  /// number. Positives are left out unless their mask is null.
  Index (*merits_in_range)(Index n, const MeritRange<S>& range, const S* s,
                           const PositiveMask<S>* positives, std::int32_t* places);
  /// Clamps cosines to [-1, 1], which they exceed by rounding.
  void (*clamp_cosines)(Index n, S* u);
  /// Turns inner products u into squared distances |x|^2 + |y|^2 - 2 u, at least 0, from the
  /// squared norms of one row and of n. Returns the largest share * (|x|^2 + |y|^2) - |x - y|^2.
  S (*squared_distances)(Index n, S x_norm, const S* y_norms, S share, S* u);
  /// s = sqrt(u).
  void (*square_roots)(Index n, const S* u, S* s);
  /// s = 1 - u.
  void (*one_minus)(Index n, const S* u, S* s);
  /// w = -g.
  void (*negate)(Index n, const S* g, S* w);
  /// Weights of squared distances, w = -2 g; returns their sum.
  double (*distance_weights)(Index n, const S* g, S* w);
  /// Weights of distances s, w = -g / s, 0 if s is 0; returns their sum.
  double (*root_weights)(Index n, const S* g, const S* s, S* w);
  /// Sets out[k] to 1 if key[k] == own, else to 0.
  void (*match)(Index n, S own, const S* key, S* out);
};

template <class S>
const ScoreLoops<S>& score_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/scores.hpp"
#endif
