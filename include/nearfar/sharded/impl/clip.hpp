#pragma once

#include <limits>
#include <optional>

#include "nearfar/losses/impl/clip.hpp"
#include "nearfar/sharded/clip.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

namespace nearfar::detail {

template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const ShardedInputs<S, 2>& inputs, const Targets& targets) {
  const Chunks<S>& images = inputs.sets_of_rows[0];
  const Chunks<S>& texts = inputs.sets_of_rows[1];
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("Clip", kernel, inputs, options,
                   {{"logit_scale", options.logit_scale},
                    {"largest_logit_scale", options.largest_logit_scale},
                    {"directions", static_cast<double>(options.directions)},
                    {"ids", targets.has_ids() ? 1.0 : 0.0}}),
      {ShardedSet<S>("images", images).with_pairs(targets),
       ShardedSet<S>("texts", texts).with_pairs(without_lists(targets))},
      inputs, images.rows(), [&] {
        check_same_rows("images", "texts", inputs);
        check_pair_targets({"targets", targets}, images.rows(), std::numeric_limits<Index>::max());
        if (targets.rule() == Targets::Rule::lists) {
          fail_argument("targets", "labels or sets of labels here, on shards",
                        "lists of positives");
        }
      });
  call.keep_positives(nullptr);
  if (targets.rule() == Targets::Rule::none) return clip<S>(options, call);
  std::optional<ClipSide<S>> of_images;
  std::optional<ClipSide<S>> of_texts;
  call.agree([&] {
    of_images.emplace(call.scratch(), call.own_rows(0));
    of_texts.emplace(call.scratch(), call.own_rows(1));
  });
  call.count_pairs(0, 1, of_images->positives, of_images->negatives);
  call.count_pairs(1, 0, of_texts->positives, of_texts->negatives);
  return clip<S>(options, call, *of_images, *of_texts);
}

}  // namespace nearfar::detail
