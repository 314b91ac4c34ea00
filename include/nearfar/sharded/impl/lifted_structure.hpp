#pragma once

#include "nearfar/losses/impl/lifted_structure.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/lifted_structure.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const LiftedStructureOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(
      kernel, options.reduction, PairWeights::refused,
      introduction("LiftedStructure", kernel, inputs.rows, options, {{"margin", options.margin}}),
      inputs, LiftedTerm<S>::key_numbers, false);
  return lifted_structure<S>(options, call);
}

}  // namespace nearfar::detail
