#pragma once

#include "nearfar/losses/impl/dclw.hpp"
#include "nearfar/sharded/dclw.hpp"
#include "nearfar/sharded/impl/views.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const DclwOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs) {
  const ShardedViews<S> views(inputs);
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("Dclw", kernel, inputs, options,
                   {{"temperature", options.temperature}, {"sigma", options.sigma}}),
      {views.set()}, inputs, 2 * inputs.sets_of_rows[0].rows(),
      [&] { check_same_rows("view1", "view2", inputs); });
  return dclw<S>(options, call);
}

}  // namespace nearfar::detail
