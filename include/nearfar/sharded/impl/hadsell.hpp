#pragma once

#include "nearfar/losses/impl/hadsell.hpp"
#include "nearfar/sharded/hadsell.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(
      kernel, options.reduction, PairWeights::refused,
      introduction("HadsellContrastive", kernel, inputs.rows, options,
                   {{"margin", options.margin}, {"factor", static_cast<double>(options.factor)}}),
      inputs, 0, options.reduction != Reduction::mean_nonzero);
  return hadsell<S>(options, call);
}

}  // namespace nearfar::detail
