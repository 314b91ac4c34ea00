#pragma once

#include <utility>
#include <vector>

#include "nearfar/losses/impl/dhel.hpp"
#include "nearfar/sharded/dhel.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const DhelOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs) {
  std::vector<ShardedSet<S>> views = {ShardedSet<S>("view1", inputs.sets_of_rows[0]),
                                      ShardedSet<S>("view2", inputs.sets_of_rows[1])};
  for (ShardedSet<S>& view : views) view.paired = view.among_themselves = true;
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("Dhel", kernel, inputs, options,
                                   {{"temperature", options.temperature},
                                    {"both_views", options.both_views ? 1.0 : 0.0}}),
                      std::move(views), inputs, inputs.sets_of_rows[0].rows(),
                      [&] { check_same_rows("view1", "view2", inputs); });
  return dhel<S>(options, call);
}

}  // namespace nearfar::detail
