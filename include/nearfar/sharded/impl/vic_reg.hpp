#pragma once

#include "nearfar/losses/impl/vic_reg.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/vic_reg.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const VicRegOptions& options, const ShardedInputs<S, 2>& inputs) {
  const Chunks<S>& view1 = inputs.sets_of_rows[0];
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  ShardedCall<S> call(kernel, Reduction::mean,
                      introduction("VicReg", kernel, inputs, options,
                                   {{"invariance", options.invariance},
                                    {"variance", options.variance},
                                    {"covariance", options.covariance},
                                    {"epsilon", options.epsilon}}),
                      {ShardedSet<S>("view1", view1).not_compared(),
                       ShardedSet<S>("view2", inputs.sets_of_rows[1]).not_compared()},
                      inputs, view1.rows(), [&] { check_same_rows("view1", "view2", inputs); });
  call.agree([&] { check_free_rows(call.all_rows(0)); });
  return vic_reg<S>(options, call);
}

}  // namespace nearfar::detail
