#pragma once

#include "nearfar/losses/impl/sup_con.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/sup_con.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const SupConOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::used,
                              introduction("SupCon", kernel, inputs.rows, options,
                                           {{"temperature", options.temperature},
                                            {"variant", static_cast<double>(options.variant)}}),
                              inputs);
  return sup_con<S>(options, call);
}

}  // namespace nearfar::detail
