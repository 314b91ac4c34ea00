#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/multi_similarity.hpp"
#include "nearfar/terms/pair_logit_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result multi_similarity(const MultiSimilarityOptions& options, Frame& call) {
  Result result;
  call.count_anchors(result.diagnostics);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive && !negative; },
      "without any other row");
  const MultiSimilarityForm form{options.alpha, options.beta, options.base};
  const auto all = [](Index) { return true; };
  if (!options.epsilon) {
    run_pair_logits<S>(call, form, all, result);
    return result;
  }
  auto scores = call.template make<MinedScoresTerm<S>>(*options.epsilon, call.rule());
  Diagnostics again;  // discarded: the pass repeats the same scores
  call.forward(scores, again);
  run_pair_logits<S>(call, MinedSimilarity{form, scores.rows()}, all, result);
  return result;
}

template <class S>
Result evaluate(const MultiSimilarityOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return multi_similarity<S>(options, call);
}

}  // namespace nearfar::detail
