#pragma once

#include <algorithm>
#include <string>

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/margin_loss.hpp"
#include "nearfar/terms/margin_term.hpp"

namespace nearfar::detail {

/// The factor of each anchor's nu beta, which has a reduction of its own.
inline double boundary_scale(Reduction reduction, Index anchors) {
  const bool mean = reduction == Reduction::mean || reduction == Reduction::mean_nonzero;
  return mean && anchors > 0 ? 1 / static_cast<double>(anchors) : 1;
}

/// Closes all anchors, anchor i with boundary beta_of(i), and sets value, values and counts.
template <class S, class BetaOf>
MarginTerm<S> close_margins(const MarginLossOptions& options, LabelledCall<S>& call,
                            const BetaOf& beta_of, Result& result) {
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive || !negative; },
      "without a positive or a negative");
  auto term = call.template make<MarginTerm<S>>(call.kernel().sign(), call.rule(), call.upstream());
  for (Index i = 0; i < call.anchors(); ++i) {
    term.set(i, beta_of(i), options.margin, call.positives(i), call.negatives(i));
    d.terms += 2 * std::int64_t(call.positives(i)) * call.negatives(i);
  }
  call.run(term, d);
  d.active_terms = call.total([&](Index i) { return term.active(i); });
  call.reduce([&](Index i) { return term.value(i); }, result);
  const double share = options.nu * boundary_scale(options.reduction, call.anchors());
  for (Index i = 0; i < call.anchors(); ++i) {
    const double own = share * call.upstream().weight(i) * beta_of(i);
    result.value += own;
    if (result.values.empty()) continue;
    result.values[static_cast<std::size_t>(call.anchor_rows()[i])] += own;
  }
  if (!is_finite(result.value)) fail_value_overflow(result.value);
  return term;
}

/// Calls body(i, derivative) with dL/dbeta_i of each closed anchor, times upstream and the
/// reduction's factor.
template <class S, class Body>
void each_beta_derivative(const MarginLossOptions& options, const LabelledCall<S>& call,
                          const MarginTerm<S>& term, const Diagnostics& d, const Body& body) {
  const double of_hinges = call.scale(d);
  const double of_boundary = gradient_scale(Reduction::sum, d, call.upstream()) * options.nu *
                             boundary_scale(options.reduction, call.anchors());
  for (Index i = 0; i < call.anchors(); ++i) {
    body(i, row_upstream(call.upstream(), i) * (of_hinges * term.d_beta(i) + of_boundary));
  }
}

template <class S>
MarginLossResult evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                          const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  MarginLossResult result;
  const auto term = close_margins(
      options, call, [&](Index) { return options.beta; }, result);
  if (!call.wants_gradients()) return result;
  double sum = 0;
  each_beta_derivative(options, call, term, result.diagnostics,
                       [&](Index, double derivative) { sum += derivative; });
  result.d_beta = checked_derivative("d_beta", sum);
  call.scatter(call.scale(result.diagnostics));
  return result;
}

template <class S>
Result evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs, const Rows<S>& betas,
                const GradientRows<S>& d_betas) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  const Index classes = betas.rows();
  if (betas.cols() != 1) fail_shape("betas", classes, 1, classes, betas.cols());
  check_finite("betas", betas, call.threads());
  d_betas.check_shape("d_betas", classes, 1);
  const char* name = inputs.has_references ? "query_labels" : "labels";
  if (inputs.targets.rule() != Targets::Rule::labels) {
    fail_argument(name, "labels, which say whose boundary an anchor has", "another rule");
  }
  const Labels& labels = inputs.targets.labels();
  for (Index i = 0; i < call.anchors(); ++i) {
    const Index row = call.anchor_rows()[i];
    if (labels[row] >= 0 && labels[row] < classes) continue;
    fail_argument(
        name,
        "labels from 0 to " + std::to_string(classes - 1) + ", one for each of " + "betas' rows",
        std::to_string(labels[row]) + " for row " + std::to_string(row));
  }
  Result result;
  const auto class_of = [&](Index i) { return static_cast<Index>(labels[call.anchor_rows()[i]]); };
  const auto term = close_margins(
      options, call, [&](Index i) { return static_cast<double>(betas(class_of(i), 0)); }, result);
  if (!call.wants_gradients()) return result;
  double* sums = call.scratch().template take<double>(classes);
  std::fill_n(sums, classes, 0.0);
  each_beta_derivative(options, call, term, result.diagnostics,
                       [&](Index i, double derivative) { sums[class_of(i)] += derivative; });
  for (Index c = 0; c < classes; ++c) checked_derivative("d_betas", sums[c]);
  GradientRows<S> out = d_betas;
  const auto derivative = [&](Index c) { return saturated<S>(sums[c]); };
  for (Index c = 0; c < classes; ++c) {
    const S d = derivative(c);
    if (!fits(out, c, Index(1), &d)) fail_half_overflow("betas");
  }
  call.open_with_gradients(out, classes, 1);
  call.scatter(call.scale(result.diagnostics));
  for (Index c = 0; c < classes && out.wanted(); ++c) {
    const S d = derivative(c);
    write_row(out, c, Index(1), &d);
  }
  return result;
}

}  // namespace nearfar::detail
