#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/tuplet_margin.hpp"
#include "nearfar/terms/sincere_term.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const TupletMarginOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return run_sincere<S>(call, options.temperature, true, options.unusable_anchors,
                        AngularMargin(options.margin));
}

}  // namespace nearfar::detail
