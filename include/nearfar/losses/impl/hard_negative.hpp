#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/two_sided_pass.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/hard_negative.hpp"
#include "nearfar/terms/hard_negative_term.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const HardNegativeOptions& options, const Inputs<S, 2>& inputs) {
  const auto& [view1, view2] = inputs.rows;
  const Index n = view1.rows();
  if (view2.rows() != n) fail_shape("view2", n, view1.cols(), view2.rows(), view2.cols());
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, options.reduction, inputs);
  call.add_stacked(Side::query, {"view1", view1, inputs.gradients[0]},
                   {"view2", view2, inputs.gradients[1]});
  call.check(2 * n);
  refuse_unusable(options.unusable_anchors, n == 1 ? 2 : 0, "without a negative");
  call.pack();

  const Index* partner = view_partners(call.scratch(), n);
  TwoSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(0));
  HardNegativeTerm<S> term(call.scratch(), 2 * n,
                           {.temperature = options.temperature,
                            .prior = options.positive_prior,
                            .concentration = options.concentration,
                            .positives = partner},
                           call.upstream());
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  call.run(pass, term, term, 0, 0, d);
  d.anchors = d.terms = 2 * n;
  for (Index i = 0; i < 2 * n; ++i) {
    d.anchors_without_negative += term[i].negatives == 0 ? 1 : 0;
    d.active_terms += term[i].value > 0 ? 1 : 0;
  }
  call.reduce(
      2 * n, [&](Index i) { return term[i].value; }, result);
  if (!call.wants_gradients()) return result;
  result.d_temperature = term.temperature_gradient(call.scale(d));
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
