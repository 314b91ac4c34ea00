#pragma once

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/terms/logistic_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many. Null rule: text i is the only match of image i.
template <class S, class Frame>
SigLipResult sig_lip(const SigLipOptions& options, Frame& call, const PositiveRule<S>* rule) {
  auto term = call.template make<LogisticTerm<S>>(0,
                                                  LogisticSettings<S>{.scale = options.logit_scale,
                                                                      .bias = options.logit_bias,
                                                                      .positives_on_diagonal = true,
                                                                      .rule = rule},
                                                  call.upstream());
  call.keep_positives(nullptr);
  SigLipResult result;
  Diagnostics& d = result.diagnostics;
  call.run(term, 0, 1, d);
  const Index n = call.own_rows(0);
  const auto value_of = [&](Index i) { return term[i].value; };
  count_terms(
      n, value_of, [&](Index i) { return term[i].negatives; }, d);
  for (Index i = 0; i < n; ++i) d.anchors_without_positive += term[i].positives == 0 ? 1 : 0;
  call.combine(d);
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  const double scale = call.scale(d);
  result.d_logit_scale = checked_derivative(
      "d_logit_scale", scale * call.sum(n, [&](Index i) { return term[i].d_scale; }));
  result.d_logit_bias = checked_derivative(
      "d_logit_bias", scale * call.sum(n, [&](Index i) { return term[i].d_bias; }));
  call.scatter(scale);
  return result;
}

template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const Inputs<S, 2>& inputs, const Targets& given) {
  Call<S> call(kernel, options.reduction, inputs);
  const LabelledRows labelled =
      labelled_rows(call.scratch(), {"targets", given}, inputs.rows[0].rows());
  call.add_pairs(inputs, "images", "texts", labelled.rows);
  call.take_bfloat16_products();
  call.check(labelled.rows);
  const Index n = labelled.rows.count;
  check_pair_targets({"targets", labelled.targets}, n, n);
  const Targets targets = pair_classes(call.scratch(), labelled.targets);
  if (targets.has_ids()) call.leave_out(targets.ids(), targets.ids());
  call.pack();
  if (targets.rule() == Targets::Rule::none) return sig_lip<S>(options, call, nullptr);
  const PositiveRule<S> rule(call.scratch(), targets, targets);
  return sig_lip<S>(options, call, &rule);
}

}  // namespace nearfar::detail
