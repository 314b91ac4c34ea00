#pragma once

#include "nearfar/losses/impl/nt_xent.hpp"
#include "nearfar/sharded/impl/views.hpp"
#include "nearfar/sharded/nt_xent.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs, const Targets& targets) {
  const ShardedViews<S> views(inputs, targets);
  const Index samples = inputs.sets_of_rows[0].rows();
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("NtXent", kernel, inputs, options,
                                   {{"temperature", options.temperature},
                                    {"denominator", static_cast<double>(options.denominator)},
                                    {"ids", targets.has_ids() ? 1.0 : 0.0}}),
                      {views.set()}, inputs, 2 * samples, [&] {
                        check_same_rows("view1", "view2", inputs);
                        check_ids_alone({"targets", targets}, samples);
                      });
  return nt_xent<S>(options, call);
}

}  // namespace nearfar::detail
