#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/fast_ap.hpp"
#include "nearfar/terms/fast_ap_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result fast_ap(const FastApOptions& options, Frame& call) {
  Result result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool) { return !positive; },
      "without a positive");
  d.terms = d.anchors - d.anchors_without_positive;
  auto term = call.template make<FastApTerm<S>>(options.bins, call.rule(), call.positive_counts(),
                                                call.upstream());
  call.run(term, d);
  for (Index i = 0; i < call.anchors(); ++i) d.active_terms += term.value(i) > 0 ? 1 : 0;
  call.combine(d);
  call.reduce([&](Index i) { return term.value(i); }, result);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
Result evaluate(const FastApOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return fast_ap<S>(options, call);
}

}  // namespace nearfar::detail
