#pragma once

#include "nearfar/losses/impl/fast_ap.hpp"
#include "nearfar/sharded/fast_ap.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const FastApOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("FastAp", kernel, inputs.rows, options,
                                           {{"bins", static_cast<double>(options.bins)}}),
                              inputs);
  return fast_ap<S>(options, call);
}

}  // namespace nearfar::detail
