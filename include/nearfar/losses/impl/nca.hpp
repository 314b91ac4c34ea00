#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/nca.hpp"
#include "nearfar/terms/many_positives_softmax.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
TemperatureResult nca(const NcaOptions& options, Frame& call) {
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool) { return !positive; },
      "without a positive");
  d.terms = d.anchors - d.anchors_without_positive;
  auto term = call.template make<ManyPositivesSoftmax<S>>(
      call.kernel().sign(), options.temperature, MeanOverPositives::sum_inside_log, call.rule(),
      call.positive_counts(), call.upstream());
  call.run(term, d);
  for (Index i = 0; i < call.anchors(); ++i) d.active_terms += term.value(i) > 0 ? 1 : 0;
  call.combine(d);
  call.reduce([&](Index i) { return term.value(i); }, result);
  if (!call.wants_gradients()) return result;
  // dL/dtau = -1/tau sum_ij dL/ds_ij s_ij.
  const double moments = call.sum([&](Index i) { return term[i].temperature; });
  result.d_temperature =
      checked_derivative("d_temperature", -call.scale(d) * moments / options.temperature);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
TemperatureResult evaluate(const NcaOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return nca<S>(options, call);
}

}  // namespace nearfar::detail
