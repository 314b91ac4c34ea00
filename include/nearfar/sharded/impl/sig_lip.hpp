#pragma once

#include "nearfar/losses/impl/sig_lip.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/sig_lip.hpp"

namespace nearfar::detail {

template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs, const Targets& targets) {
  const auto& [images, texts] = inputs.sets_of_rows;
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("SigLip", kernel, inputs, options,
                                   {{"logit_scale", options.logit_scale},
                                    {"logit_bias", options.logit_bias},
                                    {"ids", targets.has_ids() ? 1.0 : 0.0}}),
                      {ShardedSet<S>("images", images).with_ids(targets),
                       ShardedSet<S>("texts", texts).with_ids(targets)},
                      inputs, images.rows(), [&] {
                        check_same_rows("images", "texts", inputs);
                        check_ids_alone({"targets", targets}, images.rows());
                      });
  return sig_lip<S>(options, call);
}

}  // namespace nearfar::detail
