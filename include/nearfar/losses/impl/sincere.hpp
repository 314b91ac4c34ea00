#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/sincere.hpp"
#include "nearfar/terms/sincere_term.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const SincereOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs, Bfloat16Use::taken);
  return run_sincere<S>(call, options.temperature, options.terms == SincereTerms::positive_pairs,
                        options.unusable_anchors);
}

}  // namespace nearfar::detail
