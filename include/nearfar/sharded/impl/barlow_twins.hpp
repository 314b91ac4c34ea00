#pragma once

#include "nearfar/losses/impl/barlow_twins.hpp"
#include "nearfar/sharded/barlow_twins.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const BarlowTwinsOptions& options, const ShardedInputs<S, 2>& inputs) {
  const Chunks<S>& view1 = inputs.sets_of_rows[0];
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  ShardedCall<S> call(kernel, Reduction::mean,
                      introduction("BarlowTwins", kernel, inputs, options,
                                   {{"lambda", options.lambda}, {"epsilon", options.epsilon}}),
                      {ShardedSet<S>("view1", view1).not_compared(),
                       ShardedSet<S>("view2", inputs.sets_of_rows[1]).not_compared()},
                      inputs, view1.rows(), [&] { check_same_rows("view1", "view2", inputs); });
  return barlow_twins<S>(options, call);
}

}  // namespace nearfar::detail
