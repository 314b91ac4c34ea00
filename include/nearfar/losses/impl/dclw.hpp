#pragma once

#include <algorithm>
#include <limits>
#include <optional>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/losses/dclw.hpp"
#include "nearfar/terms/log_sum_exp_term.hpp"

namespace nearfar::detail {

/// The weight of each own pair from its nearness(i), with the mean over the pairs of all processes.
template <class Frame, class Nearness>
const double* dclw_weights(Frame& call, double sigma, const Nearness& nearness) {
  const Index n = call.own_rows(0) / 2;
  double* weights = nullptr;
  call.agree([&] { weights = call.scratch().template take<double>(n); });
  double own_best = -std::numeric_limits<double>::infinity();
  for (Index i = 0; i < n; ++i) own_best = std::max(own_best, nearness(i));
  const double best = call.largest(own_best);
  for (Index i = 0; i < n; ++i) weights[i] = portable::exp((nearness(i) - best) / sigma);
  const double sum = call.sum(n, [&](Index i) { return weights[i]; });
  const double mean = sum / static_cast<double>(call.all_rows(0) / 2);
  for (Index i = 0; i < n; ++i) weights[i] = 2 - weights[i] / mean;
  return weights;
}

/// The loss in the frame of one process or of many. Its one set has both views.
template <class S, class Frame>
TemperatureResult dclw(const DclwOptions& options, Frame& call) {
  const Index n = call.own_rows(0);
  const Index all = call.all_rows(0);
  const double tau = options.temperature;
  refuse_unusable(options.unusable_anchors, all == 2 ? 2 : 0, "without a negative");
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  const Index* partner = nullptr;
  std::optional<PairedScores<S>> pairs;
  call.agree([&] {
    partner = view_partners(call.scratch(), n / 2);
    pairs.emplace(call.scratch(), n);
    paired_scores(call.threads(), call.kernel(), call.rows(0), call.rows(0), *pairs, partner);
  });
  const int sign = call.kernel().sign();
  const auto nearness = [&](Index i) { return sign * static_cast<double>(pairs->s[i]); };
  const double* weights = dclw_weights(call, options.sigma, nearness);
  const auto weight = [&](Index i) { return weights[i < n / 2 ? i : i - n / 2]; };
  auto term = call.template make<LogSumExpTerm<S>>(0, sign, tau, call.upstream(), partner);
  call.run_among_themselves(term, d);

  const auto value_of = [&](Index i) {
    return all > 2 ? term.less(i, weight(i) * nearness(i)) : 0;
  };
  count_terms(
      n, value_of, [&](Index) { return all - 2; }, d);
  call.combine(d);
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  const auto slope = [&](Index i) { return -row_upstream(call.upstream(), i) * weight(i) / tau; };
  // The sum of dL/ds s over all scores.
  const double moments = call.sum(all > 2 ? n : 0, [&](Index i) {
    pairs->g[i] = static_cast<S>(sign * slope(i));
    return slope(i) * nearness(i) + term.temperature(i);
  });
  call.agree([&] {
    add_paired_gradients(call.threads(), call.kernel(), call.rows(0), call.rows(0), *pairs,
                         call.gradients(0), call.gradients(0), partner);
  });
  // dL/dtau = -1/tau sum dL/ds s.
  result.d_temperature = checked_derivative("d_temperature", -call.scale(d) * moments / tau);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
TemperatureResult evaluate(const DclwOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs) {
  Call<S> call(kernel, options.reduction, inputs);
  call.add_views(inputs);
  call.take_bfloat16_products();
  call.check(2 * inputs.rows[0].rows());
  call.pack();
  return dclw<S>(options, call);
}

}  // namespace nearfar::detail
