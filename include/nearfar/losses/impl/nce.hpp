#pragma once

#include <string>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/per_query_pass.hpp"
#include "nearfar/losses/nce.hpp"
#include "nearfar/terms/logistic.hpp"
#include "nearfar/terms/logistic_term.hpp"

namespace nearfar::detail {

/// The offsets that are subtracted from the logits.
template <class S>
struct NoiseOffsets {
  double all = 0;
  Numbers<S> keys = {};       ///< one a key, or none
  Numbers<S> negatives = {};  ///< one a negative, or none

  double of_key(Index i) const {
    return all + (keys.size() > 0 ? static_cast<double>(keys[i]) : 0);
  }
};

/// Adds the sets of rows of NCE and negative sampling, and checks them.
template <class S>
void check_noise_contrast(Call<S>& call, const Inputs<S, 3>& inputs,
                          const Negatives<S>& negatives) {
  const auto& [queries, keys, others] = inputs.rows;
  const Index n = queries.rows();
  if (keys.rows() != n) {
    fail_argument("keys", "one key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  if (negatives.has_ids()) {
    fail_argument("negatives", "all of the noise: its distribution includes a query's own key",
                  "ids");
  }
  negatives.check_count("negatives", n);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add(Side::key, {"keys", keys, inputs.gradients[1]});
  call.add_optional(Side::key, {"negatives", others, inputs.gradients[2]});
  call.check(n);
}

/// Logistic losses of each query's own key against noise, the pass of NCE and of negative sampling.
/// The call must have been checked.
template <class S>
NceResult contrast_with_noise(Call<S>& call, double temperature, const Negatives<S>& negatives,
                              const NoiseOffsets<S>& offsets) {
  call.pack();
  Scratch& scratch = call.scratch();
  const KernelValue<S>& kernel = call.kernel();
  const Index n = call.rows(0).rows;
  const Index m = call.rows(2).rows;
  const PairedScores<S> positives(scratch, n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), positives);
  LogisticSettings<S> settings{.scale = 1 / temperature, .bias = -offsets.all};
  if (offsets.negatives.size() > 0) {
    // One number a negative: log Z and the noise's logarithm may be large and nearly cancel.
    S* key_bias = scratch.template take<S>(m);
    for (Index j = 0; j < m; ++j) {
      key_bias[j] = static_cast<S>(-(offsets.all + static_cast<double>(offsets.negatives[j])));
    }
    settings.key_bias = key_bias;
    settings.bias = 0;
  }
  LogisticTerm<S> term(scratch, n, settings, call.upstream());
  NceResult result;
  Diagnostics& d = result.diagnostics;
  fold_scores(kernel, n, positives.s, d);
  if (negatives.shared()) {
    OneSidedPass<S> pass(scratch, call.threads(), kernel, call.rows(0), call.rows(2));
    call.run(pass, term, 0, 2, d);
  } else {
    PerQueryPass<S> pass(scratch, call.threads(), kernel, call.rows(0), call.rows(2), negatives);
    call.run(pass, term, 0, 2, d);
  }

  const auto own = [&](Index i) {
    return Softplus<double>(offsets.of_key(i) - static_cast<double>(positives.s[i]) / temperature);
  };
  const auto value_of = [&](Index i) { return term[i].value + own(i).value; };
  count_terms(
      n, value_of, [&](Index i) { return term[i].negatives; }, d);
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;

  const double scale = call.scale(d);
  double d_inverse = 0;  // with respect to 1 / tau
  for (Index i = 0; i < n; ++i) {
    const double dz = -own(i).slope * row_upstream(call.upstream(), i);
    positives.g[i] = static_cast<S>(dz / temperature);
    d_inverse += term[i].d_scale + dz * static_cast<double>(positives.s[i]);
    result.d_log_z -= term[i].d_bias + dz;
  }
  result.d_log_z = checked_derivative("d_log_z", scale * result.d_log_z);
  result.d_temperature =
      checked_derivative("d_temperature", -scale * d_inverse / temperature / temperature);
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), positives,
                       call.gradients(0), call.gradients(1));
  call.scatter(scale);
  return result;
}

template <class S>
NceResult evaluate(const NceOptions& options, const KernelValue<S>& kernel,
                   const Inputs<S, 3>& inputs, const Negatives<S>& negatives,
                   const Numbers<S>& log_noise_keys, const Numbers<S>& log_noise_negatives) {
  Call<S> call(kernel, options.reduction, inputs);
  check_noise_contrast(call, inputs, negatives);
  const Index n = inputs.rows[0].rows();
  check_numbers("log_noise_keys", log_noise_keys, n);
  check_numbers("log_noise_negatives", log_noise_negatives, negatives.rows().rows());
  if (negatives.ragged()) {
    fail_argument("negatives", "as many for each query: their number is part of the noise's share",
                  "offsets");
  }
  const Index samples = negatives.per_query(n);
  const double log_count = samples > 0 ? portable::log(static_cast<double>(samples)) : 0;
  return contrast_with_noise(call, options.temperature, negatives,
                             {options.log_z + log_count, log_noise_keys, log_noise_negatives});
}

template <class S>
TemperatureResult evaluate(const NegativeSamplingOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 3>& inputs, const Negatives<S>& negatives) {
  Call<S> call(kernel, options.reduction, inputs);
  check_noise_contrast(call, inputs, negatives);
  return contrast_with_noise(call, options.temperature, negatives, NoiseOffsets<S>());
}

}  // namespace nearfar::detail
