#pragma once

#include "nearfar/losses/impl/rince.hpp"
#include "nearfar/sharded/impl/views.hpp"
#include "nearfar/sharded/rince.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const RinceOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs) {
  const auto& sets = inputs.sets_of_rows;
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction(
          "Rince", kernel, inputs, options,
          {{"temperature", options.temperature}, {"lambda", options.lambda}, {"q", options.q}}),
      {ShardedSet<S>("queries", sets[0]), ShardedSet<S>("keys", sets[1])}, inputs, sets[0].rows(),
      [&] { check_same_rows("queries", "keys", inputs); });
  return rince<S>(options, call);
}

template <class S>
TemperatureResult evaluate(const RinceViewsOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs) {
  const ShardedViews<S> views(inputs);
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction(
          "RinceViews", kernel, inputs, options,
          {{"temperature", options.temperature}, {"lambda", options.lambda}, {"q", options.q}}),
      {views.set()}, inputs, 2 * inputs.sets_of_rows[0].rows(),
      [&] { check_same_rows("view1", "view2", inputs); });
  return rince<S>(options, call);
}

}  // namespace nearfar::detail
