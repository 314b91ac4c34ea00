#pragma once

#include "nearfar/loops/range.hpp"
#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of logistic losses: binary cross entropy of each pair.

namespace nearfar::detail {

/// The logit of a score: scale * s + bias, plus the key's own bias if keys have one.
template <class S>
struct Logits {
  S scale;
  S bias;
  const S* key_bias;  ///< one a score, or null
};

/// The loss of a row's scores, and the number of matches.
struct LogisticSums {
  double value;
  double positives;
};

/// Sums of a row's derivatives.
struct LogisticSlopes {
  double bias;   ///< with respect to the bias
  double scale;  ///< with respect to the scale
};

/// The loss of n scores is the sum of softplus(-y z) over their logits z, with y = 1 for the score
/// with number `match`, or for none if that is -1, and y = -1 for all others.
template <class S>
struct LogisticLoops {
  double (*sum)(Index n, const S* s, const Logits<S>& logits, Index match);
  /// Sets g to dL/ds; all results are times `factor`.
  LogisticSlopes (*gradient)(Index n, const S* s, const Logits<S>& logits, Index match, S factor,
                             S* g);

  // The same with y = 1 for all positives.

  LogisticSums (*sum_with_positives)(Index n, const S* s, const Logits<S>& logits,
                                     const PositiveMask<S>& positives);
  LogisticSlopes (*gradient_with_positives)(Index n, const S* s, const Logits<S>& logits,
                                            const PositiveMask<S>& positives, S factor, S* g);
};

template <class S>
const LogisticLoops<S>& logistic_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/logistic.hpp"
#endif
