#pragma once

#include "nearfar/losses/impl/gor.hpp"
#include "nearfar/sharded/gor.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const GorOptions& options, const ShardedInputs<S, 1>& inputs) {
  const Chunks<S>& x = inputs.sets_of_rows[0];
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ShardedCall<S> call(kernel, Reduction::mean,
                      introduction("Gor", kernel, inputs, options,
                                   {{"mean_weight", options.mean_weight},
                                    {"second_moment_weight", options.second_moment_weight}}),
                      {ShardedSet<S>("x", x).not_compared()}, inputs, x.rows(), [] {});
  return gor<S>(options, call, false);
}

}  // namespace nearfar::detail
