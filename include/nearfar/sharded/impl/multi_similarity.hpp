#pragma once

#include "nearfar/losses/impl/multi_similarity.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/multi_similarity.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const MultiSimilarityOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("MultiSimilarity", kernel, inputs.rows, options,
                                           {{"alpha", options.alpha},
                                            {"beta", options.beta},
                                            {"base", options.base},
                                            {"mining", options.epsilon ? 1.0 : 0.0},
                                            {"epsilon", options.epsilon.value_or(0)}}),
                              inputs);
  return multi_similarity<S>(options, call);
}

}  // namespace nearfar::detail
