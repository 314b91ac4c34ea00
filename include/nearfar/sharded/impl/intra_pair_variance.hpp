#pragma once

#include "nearfar/losses/impl/intra_pair_variance.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/intra_pair_variance.hpp"

namespace nearfar::detail {

template <class S>
IntraPairVarianceResult evaluate(const IntraPairVarianceOptions& options,
                                 const KernelValue<S>& kernel,
                                 const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("IntraPairVariance", kernel, inputs.rows, options,
                                           {{"positive_epsilon", options.positive_epsilon},
                                            {"negative_epsilon", options.negative_epsilon}}),
                              inputs);
  return intra_pair_variance<S>(options, call);
}

}  // namespace nearfar::detail
