#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/losses/dhel.hpp"
#include "nearfar/terms/log_sum_exp_term.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const DhelOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs) {
  const Index n = inputs.rows[0].rows();
  const double tau = options.temperature;
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "view1", "view2");
  call.check(n);
  refuse_unusable(options.unusable_anchors, n == 1 ? 1 : 0, "without a negative");
  call.pack();
  // Each view is also compared with itself.
  const auto check_own = [&](const char* name, int set) {
    const double norm = call.rows(set).largest_norm;
    if (kernel.geometry == Geometry::inner_product) check_products<S>(name, norm, name, norm);
  };
  check_own("view1", 0);
  if (options.both_views) check_own("view2", 1);

  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  const PairedScores<S> pairs(call.scratch(), n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), pairs);
  fold_scores(kernel, n, pairs.s, d);
  LogSumExpTerm<S> of_view1(call.scratch(), n, kernel.sign(), tau, call.upstream());
  LogSumExpTerm<S> of_view2(call.scratch(), n, kernel.sign(), tau, call.upstream());
  const auto spread = [&](LogSumExpTerm<S>& term, int set) {
    TwoSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(set), call.rows(set));
    call.run(pass, term, term, set, set, d);
  };
  spread(of_view1, 0);
  if (options.both_views) spread(of_view2, 1);

  const auto nearness = [&](Index i) { return kernel.sign() * static_cast<double>(pairs.s[i]); };
  const auto value_of = [&](Index i) {
    if (n == 1) return 0.0;
    return of_view1.less(i, nearness(i)) + (options.both_views ? of_view2.less(i, 0) : 0);
  };
  count_terms(
      n, value_of, [&](Index) { return n - 1; }, d);
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  double moments = 0;  // sum dL/ds s over all scores
  for (Index i = 0; i < n && n > 1; ++i) {
    const double slope = -row_upstream(call.upstream(), i) / tau;
    pairs.g[i] = static_cast<S>(kernel.sign() * slope);
    moments += slope * nearness(i) + of_view1.temperature(i);
    if (options.both_views) moments += of_view2.temperature(i);
  }
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), pairs, call.gradients(0),
                       call.gradients(1));
  // dL/dtau = -1/tau sum dL/ds s.
  result.d_temperature = checked_derivative("d_temperature", -call.scale(d) * moments / tau);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
