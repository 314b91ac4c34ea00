#pragma once

#include "nearfar/losses/impl/nca.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/nca.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const NcaOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(
      kernel, options.reduction, PairWeights::refused,
      introduction("Nca", kernel, inputs.rows, options, {{"temperature", options.temperature}}),
      inputs);
  return nca<S>(options, call);
}

}  // namespace nearfar::detail
