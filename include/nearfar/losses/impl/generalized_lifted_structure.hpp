#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/generalized_lifted_structure.hpp"
#include "nearfar/terms/pair_logit_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result generalized_lifted_structure(const GeneralizedLiftedStructureOptions& options, Frame& call) {
  Result result;
  call.count_anchors(result.diagnostics);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive || !negative; },
      "without a positive or a negative");
  const DistanceHinge hinge{{call.kernel().sign()}, options.margin};
  run_pair_logits<S>(
      call, hinge, [&](Index i) { return call.positives(i) > 0 && call.negatives(i) > 0; }, result);
  return result;
}

template <class S>
Result evaluate(const GeneralizedLiftedStructureOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return generalized_lifted_structure<S>(options, call);
}

}  // namespace nearfar::detail
