#pragma once

#include "nearfar/losses/impl/hadsell.hpp"
#include "nearfar/sharded/hadsell.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(
      kernel, options.reduction,
      introduction("HadsellContrastive", kernel, inputs.rows,
                   {{"margin", options.margin},
                    {"factor", static_cast<double>(options.factor)},
                    {"reduction", static_cast<double>(options.reduction)},
                    {"unusable_anchors", static_cast<double>(options.unusable_anchors)}}),
      inputs);
  return hadsell<S>(options, call);
}

}  // namespace nearfar::detail
