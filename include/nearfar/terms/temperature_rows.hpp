#pragma once

#include "nearfar/core/reduce.hpp"

/// \file
/// The common end of losses with a temperature or a scale whose terms are the rows of one term.

namespace nearfar::detail {

/// Value and gradients in the frame of one process or of many, after `n` own rows are closed. A
/// Term's rows have `value`, `negatives`, their number, and `temperature`, sum_j dL/ds_ij s_ij.
/// learn(sum of `temperature` over all rows) sets the derivative of the factor or divisor of
/// scores. Throws on rows without a negative if `policy` is `error`.
template <class Frame, class Term, class Learn>
void finish_rows(Frame& call, Index n, UnusableAnchor policy, const Term& term, Result& result,
                 const Learn& learn) {
  Diagnostics& d = result.diagnostics;
  const auto value_of = [&](Index i) { return term[i].value; };
  count_terms(
      n, value_of, [&](Index i) { return term[i].negatives; }, d);
  call.combine(d);
  refuse_unusable(policy, d.anchors_without_negative, "without a negative");
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return;
  learn(call.scale(d) * call.sum(n, [&](Index i) { return term[i].temperature; }));
  call.scatter(call.scale(d));
}

/// The same for the rows of the first set.
template <class Frame, class Term, class Learn>
void finish_rows(Frame& call, UnusableAnchor policy, const Term& term, Result& result,
                 const Learn& learn) {
  finish_rows(call, call.own_rows(0), policy, term, result, learn);
}

/// The same for scores that are divided by a temperature.
template <class Frame, class Term>
void finish_rows(Frame& call, Index n, UnusableAnchor policy, double temperature, const Term& term,
                 TemperatureResult& result) {
  finish_rows(call, n, policy, term, result, [&](double moments) {
    // dL/dtau = -1/tau sum_ij dL/ds_ij s_ij.
    result.d_temperature = checked_derivative("d_temperature", -moments / temperature);
  });
}
template <class Frame, class Term>
void finish_rows(Frame& call, UnusableAnchor policy, double temperature, const Term& term,
                 TemperatureResult& result) {
  finish_rows(call, call.own_rows(0), policy, temperature, term, result);
}

/// The same for scores that are multiplied by a scale, where no row is refused.
template <class Frame, class Term>
void finish_scaled_rows(Frame& call, double scale, const Term& term, ScaleResult& result) {
  finish_rows(call, UnusableAnchor::skip, term, result, [&](double moments) {
    result.d_scale = checked_derivative("d_scale", moments / scale);
  });
}

}  // namespace nearfar::detail
