#pragma once

#include "nearfar/losses/impl/mutual_information.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/mutual_information.hpp"

namespace nearfar::detail {

template <class S>
MutualInformationResult evaluate(const MutualInformationOptions& options,
                                 const KernelValue<S>& kernel, const ShardedInputs<S, 2>& inputs) {
  const auto& sets = inputs.sets_of_rows;
  ShardedCall<S> call(kernel, Reduction::mean,
                      introduction("MutualInformation", kernel, inputs, options,
                                   {{"bound", static_cast<double>(options.bound)},
                                    {"temperature", options.temperature}}),
                      {ShardedSet<S>("x", sets[0]), ShardedSet<S>("y", sets[1])}, inputs,
                      sets[0].rows(), [&] { check_same_rows("x", "y", inputs); });
  return mutual_information<S>(options, call);
}

}  // namespace nearfar::detail
