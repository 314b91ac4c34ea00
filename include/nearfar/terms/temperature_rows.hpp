#pragma once

#include "nearfar/core/reduce.hpp"

/// \file
/// What losses with a temperature have in common whose terms are the rows of one term.

namespace nearfar::detail {

/// Value, d_temperature and gradients in the frame of one process or of many, once all rows of the
/// first set are closed. A Term's rows have `value`, `negatives`, their number, and `temperature`,
/// sum_j dL/ds_ij s_ij. Rows without a negative are refused where `policy` says so.
template <class Frame, class Term>
void finish_rows(Frame& call, UnusableAnchor policy, double temperature, const Term& term,
                 TemperatureResult& result) {
  Diagnostics& d = result.diagnostics;
  const Index n = call.own_rows(0);
  const auto value_of = [&](Index i) { return term[i].value; };
  count_terms(
      n, value_of, [&](Index i) { return term[i].negatives; }, d);
  call.combine(d);
  refuse_unusable(policy, d.anchors_without_negative, "without a negative");
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return;
  // dL/dtau = -1/tau sum_ij dL/ds_ij s_ij.
  const double moments = call.sum(n, [&](Index i) { return term[i].temperature; });
  result.d_temperature =
      checked_derivative("d_temperature", -call.scale(d) * moments / temperature);
  call.scatter(call.scale(d));
}

}  // namespace nearfar::detail
