#pragma once

#include "nearfar/losses/impl/nt_xent.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/nt_xent.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs) {
  const auto& [view1, view2] = inputs.sets_of_rows;
  ShardedSet<S> views("view1", view1);
  views.add("view2", view2);
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("NtXent", kernel, inputs, options,
                                   {{"temperature", options.temperature},
                                    {"denominator", static_cast<double>(options.denominator)}}),
                      {views}, inputs, 2 * view1.rows(),
                      [&] { check_same_rows("view1", "view2", inputs); });
  return nt_xent<S>(options, call);
}

}  // namespace nearfar::detail
