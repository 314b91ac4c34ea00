#pragma once

#include "nearfar/sharded/clip.hpp"
#include "nearfar/sharded/impl/softmax.hpp"

namespace nearfar::detail {

template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const ShardedInputs<S, 2>& inputs) {
  const auto& [images, texts] = inputs.sets_of_rows;
  const Index n = images.rows();
  ShardedCall<S> call(
      kernel,
      introduction("Clip", kernel, inputs,
                   {{"logit_scale", options.logit_scale},
                    {"largest_logit_scale", options.largest_logit_scale},
                    {"directions", static_cast<double>(options.directions)},
                    {"reduction", static_cast<double>(options.reduction)},
                    {"unusable_anchors", static_cast<double>(options.unusable_anchors)}}),
      {{"images", images}, {"texts", texts}}, inputs, [&] {
        check_shard_rows("texts", texts.rows(), "images", n);
        if (inputs.wants_gradients) check_upstream(inputs.options.upstream, options.reduction, n);
      });
  refuse_unusable(options.unusable_anchors, call.all_rows(0) == 1 ? 1 : 0, "without a negative");

  const bool clamped = options.logit_scale > options.largest_logit_scale;
  const double scale = clamped ? options.largest_logit_scale : options.logit_scale;
  const OnePositiveSettings<S> settings{kernel.sign(), 1 / scale};
  auto of_images = call.template make<OnePositiveSoftmax<S>>(0, settings, call.upstream());
  auto of_texts = call.template make<OnePositiveSoftmax<S>>(1, settings, call.upstream());
  ClipResult result;
  Diagnostics& d = result.diagnostics;
  call.run(0, 1, KeyNumbers::from_own, of_images, &ShardedCall<S>::on_any_block, d);
  Diagnostics again;  // the same scores
  call.run(1, 0, KeyNumbers::from_own, of_texts, &ShardedCall<S>::on_any_block, again);

  const double share = options.directions == ClipDirections::mean ? 0.5 : 1.0;
  const auto value_of = [&](Index i) { return share * (of_images[i].value + of_texts[i].value); };
  d.anchors = d.terms = n;
  for (Index i = 0; i < n; ++i) {
    if (of_images[i].negatives == 0) ++d.anchors_without_negative;
    if (value_of(i) > 0) ++d.active_terms;
  }
  call.team().combine(d);
  call.reduce(options.reduction, n, value_of, result);
  if (!call.wants_gradients()) return result;
  const double factor = share * gradient_scale(options.reduction, d, call.upstream());
  const double moments = call.sum_over_all(
      n, [&](Index i) { return of_images[i].temperature + of_texts[i].temperature; });
  // dL/dsigma = -1/sigma^2 dL/dtau, dL/dtau = -sigma times the moments.
  if (!clamped) result.d_logit_scale = factor * moments / scale;
  call.scatter(factor);
  return result;
}

}  // namespace nearfar::detail
