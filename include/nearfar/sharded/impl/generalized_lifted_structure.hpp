#pragma once

#include "nearfar/losses/impl/generalized_lifted_structure.hpp"
#include "nearfar/sharded/generalized_lifted_structure.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const GeneralizedLiftedStructureOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("GeneralizedLiftedStructure", kernel, inputs.rows,
                                           options, {{"margin", options.margin}}),
                              inputs);
  return generalized_lifted_structure<S>(options, call);
}

}  // namespace nearfar::detail
