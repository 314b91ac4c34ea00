#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/terms/logistic_term.hpp"

namespace nearfar::detail {

template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const Inputs<S, 2>& inputs) {
  const auto& [images, texts] = inputs.rows;
  const Index n = images.rows();
  check_same_rows(images, "texts", texts);
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"images", images, inputs.gradients[0]});
  call.add(Side::key, {"texts", texts, inputs.gradients[1]});
  call.check(n);
  call.pack();

  OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(1));
  LogisticTerm<S> term(
      call.scratch(), n,
      {.scale = options.logit_scale, .bias = options.logit_bias, .positives_on_diagonal = true},
      call.upstream());
  SigLipResult result;
  Diagnostics& d = result.diagnostics;
  call.run(pass, term, 0, 1, d);
  d.anchors = d.terms = n;
  d.anchors_without_negative = n == 1 ? 1 : 0;
  for (Index i = 0; i < n; ++i) d.active_terms += term[i].value > 0 ? 1 : 0;
  call.reduce(
      n, [&](Index i) { return term[i].value; }, result);
  if (!call.wants_gradients()) return result;
  const double scale = call.scale(d);
  for (Index i = 0; i < n; ++i) {
    result.d_logit_scale += scale * term[i].d_scale;
    result.d_logit_bias += scale * term[i].d_bias;
  }
  call.scatter(scale);
  return result;
}

}  // namespace nearfar::detail
