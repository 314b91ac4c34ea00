#pragma once

#include "nearfar/losses/impl/alignment.hpp"
#include "nearfar/sharded/alignment.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const AlignmentOptions& options, const ShardedInputs<S, 2>& inputs) {
  const Chunks<S>& x = inputs.sets_of_rows[0];
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("Alignment", kernel, inputs, options, {{"alpha", options.alpha}}),
      {ShardedSet<S>("x", x).not_compared(),
       ShardedSet<S>("y", inputs.sets_of_rows[1]).not_compared()},
      inputs, x.rows(), [&] { check_same_rows("x", "y", inputs); });
  return alignment<S>(options, call);
}

}  // namespace nearfar::detail
