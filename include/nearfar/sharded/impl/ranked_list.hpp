#pragma once

#include "nearfar/losses/impl/ranked_list.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/ranked_list.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const RankedListOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("RankedList", kernel, inputs.rows, options,
                                           {{"margin", options.margin},
                                            {"alpha", options.alpha},
                                            {"t_p", options.t_p},
                                            {"t_n", options.t_n},
                                            {"imbalance", options.imbalance}}),
                              inputs);
  return ranked_list<S>(options, call);
}

}  // namespace nearfar::detail
