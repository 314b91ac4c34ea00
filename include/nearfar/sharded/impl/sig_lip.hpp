#pragma once

#include "nearfar/losses/impl/sig_lip.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/sig_lip.hpp"

namespace nearfar::detail {

template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs) {
  const auto& [images, texts] = inputs.sets_of_rows;
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("SigLip", kernel, inputs, options,
                   {{"logit_scale", options.logit_scale}, {"logit_bias", options.logit_bias}}),
      {{"images", images}, {"texts", texts}}, inputs, images.rows(),
      [&] { check_same_rows("images", "texts", inputs); });
  return sig_lip<S>(options, call);
}

}  // namespace nearfar::detail
