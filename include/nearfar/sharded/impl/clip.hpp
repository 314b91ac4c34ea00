#pragma once

#include "nearfar/losses/impl/clip.hpp"
#include "nearfar/sharded/clip.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

namespace nearfar::detail {

template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const ShardedInputs<S, 2>& inputs, const Targets& targets) {
  const auto& [images, texts] = inputs.sets_of_rows;
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("Clip", kernel, inputs, options,
                                   {{"logit_scale", options.logit_scale},
                                    {"largest_logit_scale", options.largest_logit_scale},
                                    {"directions", static_cast<double>(options.directions)},
                                    {"ids", targets.has_ids() ? 1.0 : 0.0}}),
                      {ShardedSet<S>("images", images).with_ids(targets),
                       ShardedSet<S>("texts", texts).with_ids(targets)},
                      inputs, images.rows(), [&] {
                        check_same_rows("images", "texts", inputs);
                        check_ids_alone({"targets", targets}, images.rows());
                      });
  return clip<S>(options, call);
}

}  // namespace nearfar::detail
