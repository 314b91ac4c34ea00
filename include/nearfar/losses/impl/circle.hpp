#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/circle.hpp"
#include "nearfar/terms/pair_logit_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result circle(const CircleOptions& options, Frame& call) {
  Result result;
  call.count_anchors(result.diagnostics);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive || !negative; },
      "without a positive or a negative");
  const CircleForm form{options.m, options.gamma, options.weights == CircleWeights::differentiated};
  run_pair_logits<S>(
      call, form, [&](Index i) { return call.positives(i) > 0 && call.negatives(i) > 0; }, result);
  return result;
}

template <class S>
Result evaluate(const CircleOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return circle<S>(options, call);
}

}  // namespace nearfar::detail
