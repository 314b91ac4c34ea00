#pragma once

#include <algorithm>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/losses/clip.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
ClipResult clip(const ClipOptions& options, Frame& call) {
  const bool capped = options.logit_scale >= options.largest_logit_scale;
  const double sigma = capped ? options.largest_logit_scale : options.logit_scale;
  const OnePositiveSettings<S> settings{call.kernel().sign(), 1 / sigma};
  auto of_images = call.template make<OnePositiveSoftmax<S>>(0, settings, call.upstream());
  auto of_texts = call.template make<OnePositiveSoftmax<S>>(1, settings, call.upstream());
  call.keep_positives(nullptr);
  ClipResult result;
  Diagnostics& d = result.diagnostics;
  call.run_both_ways(of_images, of_texts, d);
  const double share = options.directions == ClipDirections::mean ? 0.5 : 1.0;
  const Index n = call.own_rows(0);
  const auto value_of = [&](Index i) { return share * (of_images[i].value + of_texts[i].value); };
  count_terms(
      n, value_of, [&](Index i) { return of_images[i].negatives; }, d);
  call.combine(d);
  refuse_unusable(options.unusable_anchors, d.anchors_without_negative, "without a negative");
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  const double factor = share * call.scale(d);
  const double moments =
      call.sum(n, [&](Index i) { return of_images[i].temperature + of_texts[i].temperature; });
  // dL/dsigma = -1/sigma^2 dL/dtau, dL/dtau = -sigma times the moments.
  const double derivative = checked_derivative("d_logit_scale", factor * moments / sigma);
  // At the cap a larger scale changes nothing; a smaller one does, so that it can come back.
  result.d_logit_scale = capped ? std::max(derivative, 0.0) : derivative;
  call.scatter(factor);
  return result;
}

template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const Inputs<S, 2>& inputs, const Targets& targets) {
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "images", "texts");
  call.check(inputs.rows[0].rows());
  check_ids_alone({"targets", targets}, inputs.rows[0].rows());
  if (targets.has_ids()) call.leave_out(targets.ids(), targets.ids());
  call.pack();
  return clip<S>(options, call);
}

}  // namespace nearfar::detail
