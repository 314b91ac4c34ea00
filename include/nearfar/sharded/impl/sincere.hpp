#pragma once

#include "nearfar/losses/impl/sincere.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/sincere.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const SincereOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("Sincere", kernel, inputs.rows, options,
                                           {{"temperature", options.temperature},
                                            {"terms", static_cast<double>(options.terms)}}),
                              inputs);
  return run_sincere<S>(call, options.temperature, options.terms == SincereTerms::positive_pairs,
                        options.unusable_anchors);
}

}  // namespace nearfar::detail
