#pragma once

#include <cmath>
#include <string>

#include "nearfar/core/kept_rows.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/core/result.hpp"

/// \file
/// The reduction of a loss's terms to its value, common to all losses.

namespace nearfar::detail {

/// Throws unless `upstream` is one number, or, with Reduction::none, one a row.
inline void check_upstream(const Upstream& upstream, Reduction reduction, Index rows) {
  if (!upstream.is_given()) return;
  const bool wants_rows = reduction == Reduction::none;
  if (upstream.is_scalar() == wants_rows || (wants_rows && upstream.size() != rows)) {
    fail_argument(
        "upstream",
        wants_rows ? std::to_string(rows) + " numbers, one a row (Reduction::none)" : "one number",
        upstream.is_scalar() ? "one number" : std::to_string(upstream.size()) + " numbers");
  }
  for (Index i = 0; i < (upstream.is_scalar() ? 1 : rows); ++i) {
    if (!is_finite(upstream[i])) fail_not_finite("upstream", i, 0, upstream[i]);
  }
}

/// The factor of the sum of all terms.
inline double reduction_scale(Reduction reduction, const Diagnostics& d) {
  switch (reduction) {
    case Reduction::mean:
      return d.terms > 0 ? 1 / static_cast<double>(d.terms) : 0;
    case Reduction::mean_nonzero:
      return d.active_terms > 0 ? 1 / static_cast<double>(d.active_terms) : 0;
    case Reduction::sum:
    case Reduction::none:
      break;
  }
  return 1;
}

/// The factor of the terms of one kind, if the kinds are reduced separately.
inline double kind_scale(Reduction reduction, std::int64_t terms, std::int64_t active) {
  Diagnostics of_kind;
  of_kind.terms = terms;
  of_kind.active_terms = active;
  return reduction_scale(reduction, of_kind);
}

/// The factor of the reduction times the upstream gradient: its one number, or the unit of its
/// numbers a row, which are themselves in the weights already.
inline double gradient_scale(Reduction reduction, const Diagnostics& d, const Upstream& upstream) {
  return reduction_scale(reduction, d) * (upstream.is_scalar() ? upstream.scalar() : 1.0) *
         upstream.unit();
}

/// The upstream factor of row i in the weights, in the unit of Upstream.
inline double row_upstream(const Upstream& upstream, Index i) {
  return upstream.weight(i) * (upstream.is_scalar() ? 1.0 : upstream[i]) / upstream.unit();
}

/// Counts each row as an anchor and a term, and as an active term if value_of(i) is not zero.
template <class ValueOf>
void count_terms(Index rows, const ValueOf& value_of, Diagnostics& d) {
  d.anchors = d.terms = rows;
  for (Index i = 0; i < rows; ++i) d.active_terms += value_of(i) != 0 ? 1 : 0;
}

/// The same; also counts the rows with negatives_of(i) = 0.
template <class ValueOf, class NegativesOf>
void count_terms(Index rows, const ValueOf& value_of, const NegativesOf& negatives_of,
                 Diagnostics& d) {
  count_terms(rows, value_of, d);
  for (Index i = 0; i < rows; ++i) d.anchors_without_negative += negatives_of(i) == 0 ? 1 : 0;
}

/// Sets value and values from value_of(row), row = 0 .. rows.count-1, summed in order. Values of
/// rows that are not kept are 0. Throws std::domain_error if the sum overflows.
template <class ValueOf>
void reduce_rows(Reduction reduction, const KeptRows& rows, const ValueOf& value_of,
                 Result& result) {
  double sum = 0;
  if (reduction == Reduction::none) result.values.resize(static_cast<std::size_t>(rows.all));
  for (Index i = 0; i < rows.count; ++i) {
    const double v = value_of(i);
    sum += v;
    if (reduction == Reduction::none) result.values[static_cast<std::size_t>(rows[i])] = v;
  }
  if (!is_finite(sum)) fail_value_overflow(sum);
  result.value = sum * reduction_scale(reduction, result.diagnostics);
}

/// Throws if the policy is `error` and there are unusable anchors.
inline void refuse_unusable(UnusableAnchor policy, std::int64_t unusable, const char* why) {
  if (policy == UnusableAnchor::error && unusable > 0) {
    fail_argument(
        "batch", "every anchor to have something to learn from",
        std::to_string(unusable) + " anchors " + why + "; unusable_anchors = skip leaves them out");
  }
}

}  // namespace nearfar::detail
