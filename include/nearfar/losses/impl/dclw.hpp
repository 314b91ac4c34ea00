#pragma once

#include <algorithm>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/losses/dclw.hpp"
#include "nearfar/terms/log_sum_exp_term.hpp"

namespace nearfar::detail {

/// The weight of each of n pairs from their nearness(i).
template <class Nearness>
const double* dclw_weights(Scratch& scratch, Index n, double sigma, const Nearness& nearness) {
  double* weights = scratch.take<double>(n);
  double best = -std::numeric_limits<double>::infinity();
  for (Index i = 0; i < n; ++i) best = std::max(best, nearness(i));
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += weights[i] = portable::exp((nearness(i) - best) / sigma);
  const double mean = sum / static_cast<double>(n);
  for (Index i = 0; i < n; ++i) weights[i] = 2 - weights[i] / mean;
  return weights;
}

template <class S>
TemperatureResult evaluate(const DclwOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs) {
  const Index samples = inputs.rows[0].rows();
  const Index n = 2 * samples;
  const double tau = options.temperature;
  Call<S> call(kernel, options.reduction, inputs);
  call.add_views(inputs);
  call.take_bfloat16_products();
  call.check(n);
  refuse_unusable(options.unusable_anchors, samples == 1 ? 2 : 0, "without a negative");
  call.pack();

  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  const Index* partner = view_partners(call.scratch(), samples);
  const PairedScores<S> pairs(call.scratch(), n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(0), pairs, partner);
  const auto nearness = [&](Index i) { return kernel.sign() * static_cast<double>(pairs.s[i]); };
  const double* weights = dclw_weights(call.scratch(), samples, options.sigma, nearness);
  const auto weight = [&](Index i) { return weights[i < samples ? i : i - samples]; };
  LogSumExpTerm<S> term(call.scratch(), n, kernel.sign(), tau, call.upstream(), partner);
  call.run_among_themselves(term, d);

  const auto value_of = [&](Index i) {
    return samples > 1 ? term.less(i, weight(i) * nearness(i)) : 0;
  };
  count_terms(
      n, value_of, [&](Index) { return n - 2; }, d);
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  double moments = 0;  // sum dL/ds s over all scores
  for (Index i = 0; i < n && samples > 1; ++i) {
    const double slope = -row_upstream(call.upstream(), i) * weight(i) / tau;
    pairs.g[i] = static_cast<S>(kernel.sign() * slope);
    moments += slope * nearness(i) + term.temperature(i);
  }
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(0), pairs, call.gradients(0),
                       call.gradients(0), partner);
  // dL/dtau = -1/tau sum dL/ds s.
  result.d_temperature = checked_derivative("d_temperature", -call.scale(d) * moments / tau);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
