#pragma once

#include "nearfar/losses/impl/tuplet_margin.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/tuplet_margin.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const TupletMarginOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(
      kernel, options.reduction, PairWeights::refused,
      introduction("TupletMargin", kernel, inputs.rows, options,
                   {{"temperature", options.temperature}, {"margin", options.margin}}),
      inputs);
  return run_sincere<S>(call, options.temperature, true, options.unusable_anchors,
                        AngularMargin(options.margin));
}

}  // namespace nearfar::detail
