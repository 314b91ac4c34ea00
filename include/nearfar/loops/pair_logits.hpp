#pragma once

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of losses that are a function of two log-sum-exps a row: over logits of its
/// positives, and over logits of its negatives. A form defines the logits of a score.

namespace nearfar::detail {

/// Logits -alpha (s - base) of a positive and beta (s - base) of a negative.
struct MultiSimilarityForm {
  double alpha;
  double beta;
  double base;
};

/// Logits -gamma a_p (s - (1 - m)) of a positive, with a_p = max(0, 1 + m - s), and
/// gamma a_n (s - m) of a negative, with a_n = max(0, s + m).
struct CircleForm {
  double m;
  double gamma;
  bool differentiates_weights;
};

/// The logits of MultiSimilarityForm, but -infinity for a positive at `positives_below` or above
/// and for a negative at `negatives_above` or below: these pairs do not count.
struct MinedSimilarityForm : MultiSimilarityForm {
  double positives_below;
  double negatives_above;
};

/// Logits d of a positive and -d of a negative, d = -sign s.
struct DistanceForm {
  int sign;
};

/// The largest logits of both kinds; the lowest finite number if there are none.
template <class S>
struct LargestLogits {
  S positive;
  S negative;
};

/// Sums of exponentials over positives and over negatives.
struct LogitSums {
  double positives;
  double negatives;
};

/// The derivative of a logit is exp(logit - best of its kind) times the weight of its kind.
template <class S>
struct LogitWeights {
  LargestLogits<S> best;
  S positive;
  S negative;
};

template <class S, class Form>
struct PairLogitFormLoops {
  LargestLogits<S> (*largest)(Index n, const S* s, const PositiveMask<S>& positives,
                              const Form& form);
  /// Sums of exp(logit - best of its kind).
  LogitSums (*sums)(Index n, const S* s, const PositiveMask<S>& positives, const Form& form,
                    const LargestLogits<S>& best);
  /// Sets g to weight * exp(logit - best) * d logit / ds.
  void (*gradient)(Index n, const S* s, const PositiveMask<S>& positives, const Form& form,
                   const LogitWeights<S>& weights, S* g);
};

template <class S>
struct PairLogitLoops {
  PairLogitFormLoops<S, MultiSimilarityForm> multi_similarity;
  PairLogitFormLoops<S, MinedSimilarityForm> mined_similarity;
  PairLogitFormLoops<S, CircleForm> circle;
  PairLogitFormLoops<S, DistanceForm> distance;

  const PairLogitFormLoops<S, MultiSimilarityForm>& of(const MultiSimilarityForm&) const {
    return multi_similarity;
  }
  const PairLogitFormLoops<S, MinedSimilarityForm>& of(const MinedSimilarityForm&) const {
    return mined_similarity;
  }
  const PairLogitFormLoops<S, CircleForm>& of(const CircleForm&) const { return circle; }
  const PairLogitFormLoops<S, DistanceForm>& of(const DistanceForm&) const { return distance; }
};

template <class S>
const PairLogitLoops<S>& pair_logit_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/pair_logits.hpp"
#endif
