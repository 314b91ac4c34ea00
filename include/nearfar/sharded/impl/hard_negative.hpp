#pragma once

#include "nearfar/losses/impl/hard_negative.hpp"
#include "nearfar/sharded/hard_negative.hpp"
#include "nearfar/sharded/impl/views.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const HardNegativeOptions& options, const ShardedInputs<S, 2>& inputs,
                           const Targets& targets) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  const ShardedViews<S> views(inputs, targets);
  const Index samples = inputs.sets_of_rows[0].rows();
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("HardNegative", kernel, inputs, options,
                                   {{"temperature", options.temperature},
                                    {"positive_prior", options.positive_prior},
                                    {"concentration", options.concentration},
                                    {"ids", targets.has_ids() ? 1.0 : 0.0}}),
                      {views.set()}, inputs, 2 * samples, [&] {
                        check_same_rows("view1", "view2", inputs);
                        check_ids_alone({"targets", targets}, samples);
                      });
  return hard_negative<S>(options, call);
}

}  // namespace nearfar::detail
