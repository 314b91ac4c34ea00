#pragma once

#include "nearfar/losses/impl/sig_reg.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/sig_reg.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const SigRegOptions& options, const ShardedInputs<S, 2>& inputs) {
  const Chunks<S>& x = inputs.sets_of_rows[0];
  const Chunks<S>& slices = inputs.sets_of_rows[1];
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  ShardedCall<S> call(kernel, Reduction::mean,
                      introduction("SigReg", kernel, inputs, options,
                                   {{"knots", static_cast<double>(options.knots)},
                                    {"t_max", options.t_max},
                                    {"slices", static_cast<double>(slices.rows())},
                                    {"slices (digest)", digest(slices.all().front().rows)}}),
                      {ShardedSet<S>("x", x), ShardedSet<S>("slices", slices)}, inputs, x.rows(),
                      [] {});
  return sig_reg<S>(options, call);
}

}  // namespace nearfar::detail
