#pragma once

#include <optional>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/losses/dhel.hpp"
#include "nearfar/terms/log_sum_exp_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many. Its two sets are the views.
template <class S, class Frame>
TemperatureResult dhel(const DhelOptions& options, Frame& call) {
  const Index n = call.own_rows(0);
  const Index all = call.all_rows(0);
  const double tau = options.temperature;
  refuse_unusable(options.unusable_anchors, all == 1 ? 1 : 0, "without a negative");
  // Each view is also compared with itself.
  call.check_products_of(0, 0);
  if (options.both_views) call.check_products_of(1, 1);

  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  std::optional<PairedScores<S>> pairs;
  call.agree([&] {
    pairs.emplace(call.scratch(), n);
    paired_scores(call.threads(), call.kernel(), call.rows(0), call.rows(1), *pairs);
  });
  const int sign = call.kernel().sign();
  fold_scores(call.kernel(), n, pairs->s, d);
  auto of_view1 = call.template make<LogSumExpTerm<S>>(0, sign, tau, call.upstream());
  auto of_view2 = call.template make<LogSumExpTerm<S>>(1, sign, tau, call.upstream());
  call.run_among_themselves(of_view1, d, 0);
  if (options.both_views) call.run_among_themselves(of_view2, d, 1);

  const auto nearness = [&](Index i) { return sign * static_cast<double>(pairs->s[i]); };
  const auto value_of = [&](Index i) {
    if (all == 1) return 0.0;
    return of_view1.less(i, nearness(i)) + (options.both_views ? of_view2.less(i, 0) : 0);
  };
  count_terms(
      n, value_of, [&](Index) { return all - 1; }, d);
  call.combine(d);
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  // The sum of dL/ds s over all scores.
  const Index parts = options.both_views ? 2 : 1;
  const double moments = call.sum(all > 1 ? parts * n : 0, [&](Index part) {
    const Index i = part / parts;
    if (part % parts == 1) return of_view2.temperature(i);
    const double slope = -row_upstream(call.upstream(), i) / tau;
    pairs->g[i] = static_cast<S>(sign * slope);
    return slope * nearness(i) + of_view1.temperature(i);
  });
  call.agree([&] {
    add_paired_gradients(call.threads(), call.kernel(), call.rows(0), call.rows(1), *pairs,
                         call.gradients(0), call.gradients(1));
  });
  // dL/dtau = -1/tau sum dL/ds s.
  result.d_temperature = checked_derivative("d_temperature", -call.scale(d) * moments / tau);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
TemperatureResult evaluate(const DhelOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs) {
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "view1", "view2");
  call.check(inputs.rows[0].rows());
  call.pack();
  return dhel<S>(options, call);
}

}  // namespace nearfar::detail
