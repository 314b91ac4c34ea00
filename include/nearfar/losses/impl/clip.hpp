#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/two_sided_pass.hpp"
#include "nearfar/losses/clip.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

namespace nearfar::detail {

template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const Inputs<S, 2>& inputs) {
  const auto& [images, texts] = inputs.rows;
  const Index n = images.rows();
  check_same_rows(images, "texts", texts);
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"images", images, inputs.gradients[0]});
  call.add(Side::key, {"texts", texts, inputs.gradients[1]});
  call.check(n);
  refuse_unusable(options.unusable_anchors, n == 1 ? 1 : 0, "without a negative");
  call.pack();

  const bool clamped = options.logit_scale > options.largest_logit_scale;
  const double sigma = clamped ? options.largest_logit_scale : options.logit_scale;
  TwoSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(1));
  const OnePositiveSettings<S> settings{kernel.sign(), 1 / sigma};
  OnePositiveSoftmax<S> of_images(call.scratch(), n, settings, call.upstream());
  OnePositiveSoftmax<S> of_texts(call.scratch(), n, settings, call.upstream());
  ClipResult result;
  Diagnostics& d = result.diagnostics;
  call.run(pass, of_images, of_texts, 0, 1, d);
  const double share = options.directions == ClipDirections::mean ? 0.5 : 1.0;
  const auto value_of = [&](Index i) { return share * (of_images[i].value + of_texts[i].value); };
  d.anchors = d.terms = n;
  for (Index i = 0; i < n; ++i) {
    d.anchors_without_negative += of_images[i].negatives == 0 ? 1 : 0;
    d.active_terms += value_of(i) > 0 ? 1 : 0;
  }
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  const double factor = share * call.scale(d);
  if (!clamped) {
    // dL/dsigma = -1/sigma^2 dL/dtau.
    const double d_temperature =
        of_images.temperature_gradient(factor) + of_texts.temperature_gradient(factor);
    result.d_logit_scale = -d_temperature / (sigma * sigma);
  }
  call.scatter(factor);
  return result;
}

}  // namespace nearfar::detail
