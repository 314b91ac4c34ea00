#pragma once

#include "nearfar/losses/impl/circle.hpp"
#include "nearfar/sharded/circle.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const CircleOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("Circle", kernel, inputs.rows, options,
                                           {{"m", options.m},
                                            {"gamma", options.gamma},
                                            {"weights", static_cast<double>(options.weights)}}),
                              inputs);
  return circle<S>(options, call);
}

}  // namespace nearfar::detail
