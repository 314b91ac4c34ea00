#pragma once

#include <limits>

#include "nearfar/losses/impl/sig_lip.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/sig_lip.hpp"

namespace nearfar::detail {

template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs, const Targets& targets) {
  const Chunks<S>& images = inputs.sets_of_rows[0];
  const Chunks<S>& texts = inputs.sets_of_rows[1];
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("SigLip", kernel, inputs, options,
                   {{"logit_scale", options.logit_scale},
                    {"logit_bias", options.logit_bias},
                    {"ids", targets.has_ids() ? 1.0 : 0.0}}),
      {ShardedSet<S>("images", images).with_pairs(targets),
       ShardedSet<S>("texts", texts).with_pairs(without_lists(targets))},
      inputs, images.rows(), [&] {
        check_same_rows("images", "texts", inputs);
        check_pair_targets({"targets", targets}, images.rows(), std::numeric_limits<Index>::max());
      });
  const PositiveRule<S> none;  // terms get that of each block
  return sig_lip<S>(options, call, targets.rule() == Targets::Rule::none ? nullptr : &none);
}

}  // namespace nearfar::detail
