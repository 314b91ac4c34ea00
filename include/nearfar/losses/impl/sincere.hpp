#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/sincere.hpp"
#include "nearfar/terms/sincere_term.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const SincereOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool) { return !positive; },
      "without a positive");
  const bool by_pairs = options.terms == SincereTerms::positive_pairs;
  const auto pairs = call.total([&](Index i) { return call.positives(i); });
  d.terms = by_pairs ? pairs : d.anchors - d.anchors_without_positive;
  const bool keeps =
      pairs * SincereTerm<S>::bytes <= most_bytes_between(call.queries(), call.keys());
  auto term = call.template make<SincereTerm<S>>(call.keys().rows, kernel.sign(),
                                                 options.temperature, !by_pairs, keeps, call.rule(),
                                                 call.positive_counts(), call.upstream());
  if (!keeps) {
    Diagnostics again;  // the same scores
    call.forward(term, again);
    term.begin_positives();
  }
  call.run(term, d);
  for (Index i = 0; i < call.anchors(); ++i) {
    d.active_terms += by_pairs ? term[i].active : term[i].value > 0;
  }
  call.reduce([&](Index i) { return term.value(i); }, result);
  if (!call.wants_gradients()) return result;
  // dL/dtau = -1/tau sum_ij dL/ds_ij s_ij.
  const double moments = call.sum([&](Index i) { return term[i].temperature; });
  result.d_temperature =
      checked_derivative("d_temperature", -call.scale(d) * moments / options.temperature);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
