#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/margin_loss.hpp"
#include "nearfar/terms/margin_term.hpp"

namespace nearfar::detail {

/// The factor of each anchor's nu beta, which has a reduction of its own.
inline double boundary_scale(Reduction reduction, std::int64_t anchors) {
  const bool mean = reduction == Reduction::mean || reduction == Reduction::mean_nonzero;
  return mean && anchors > 0 ? 1 / static_cast<double>(anchors) : 1;
}

/// Closes all anchors, anchor i with boundary beta_of(i), and sets value, values and counts, in the
/// frame of one process or of many.
template <class S, class Frame, class BetaOf>
MarginTerm<S> close_margins(const MarginLossOptions& options, Frame& call, const BetaOf& beta_of,
                            Result& result) {
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
  call.combine(d);
  d.active_terms = call.total([&](Index i) { return term.active(i); });
  call.reduce([&](Index i) { return term.value(i); }, result);
  const double share = options.nu * boundary_scale(options.reduction, d.anchors);
  const auto own = [&](Index i) { return share * call.upstream().weight(i) * beta_of(i); };
  result.value += call.sum(own);
  for (Index i = 0; i < call.anchors() && !result.values.empty(); ++i) {
    result.values[static_cast<std::size_t>(call.anchor_rows()[i])] += own(i);
  }
  if (!is_finite(result.value)) fail_value_overflow(result.value);
  return term;
}

/// dL/dbeta_i of closed anchor i, times upstream and the reduction's factor.
template <class S, class Frame>
auto beta_derivatives(const MarginLossOptions& options, const Frame& call,
                      const MarginTerm<S>& term, const Diagnostics& d) {
  const double of_hinges = call.scale(d);
  const double of_boundary = gradient_scale(Reduction::sum, d, call.upstream()) * options.nu *
                             boundary_scale(options.reduction, d.anchors);
  return [&call, &term, of_hinges, of_boundary](Index i) {
    return row_upstream(call.upstream(), i) * (of_hinges * term.d_beta(i) + of_boundary);
  };
}

/// The loss with one boundary.
template <class S, class Frame>
MarginLossResult margin_loss(const MarginLossOptions& options, Frame& call) {
  MarginLossResult result;
  const auto term = close_margins<S>(
      options, call, [&](Index) { return options.beta; }, result);
  if (!call.wants_gradients()) return result;
  const Diagnostics& d = result.diagnostics;
  result.d_beta = checked_derivative("d_beta", call.sum(beta_derivatives(options, call, term, d)));
  call.scatter(call.scale(d));
  return result;
}

/// The loss with one boundary for each class of the labels `name`.
template <class S, class Frame>
Result margin_loss(const MarginLossOptions& options, Frame& call, const char* name,
                   const Targets& targets, const Rows<S>& betas, const GradientRows<S>& d_betas) {
  const Index classes = betas.rows();
  double* sums = nullptr;
  call.agree([&] {
    if (betas.cols() != 1) fail_shape("betas", classes, 1, classes, betas.cols());
    check_finite("betas", betas, call.threads());
    d_betas.check_shape("d_betas", classes, 1);
    if (targets.rule() != Targets::Rule::labels) {
      fail_argument(name, "labels, which say whose boundary an anchor has", "another rule");
    }
    for (Index i = 0; i < call.anchors(); ++i) {
      const Index row = call.anchor_rows()[i];
      const std::int64_t label = targets.labels()[row];
      if (label >= 0 && label < classes) continue;
      fail_argument(
          name,
          "labels from 0 to " + std::to_string(classes - 1) + ", one for each of " + "betas' rows",
          std::to_string(label) + " for row " + std::to_string(row));
    }
    sums = call.scratch().template take<double>(classes);
    std::fill_n(sums, classes, 0.0);
  });
  Result result;
  const auto class_of = [&](Index i) {
    return static_cast<Index>(targets.labels()[call.anchor_rows()[i]]);
  };
  const auto term = close_margins<S>(
      options, call, [&](Index i) { return static_cast<double>(betas(class_of(i), 0)); }, result);
  if (!call.wants_gradients()) return result;
  const Diagnostics& d = result.diagnostics;
  const auto derivative = beta_derivatives(options, call, term, d);
  call.sum_over_rows(sums, classes, [&] {
    for (Index i = 0; i < call.anchors(); ++i) sums[class_of(i)] += derivative(i);
  });
  for (Index c = 0; c < classes; ++c) checked_derivative("d_betas", sums[c]);
  GradientRows<S> out = d_betas;
  const auto of_class = [&](Index c) { return saturated<S>(sums[c]); };
  call.agree([&] {
    for (Index c = 0; c < classes; ++c) {
      const S one = of_class(c);
      if (!fits(out, c, Index(1), &one)) fail_half_overflow("betas");
    }
  });
  call.open_with_gradients(out, classes, 1);
  call.scatter(call.scale(d));
  for (Index c = 0; c < classes && out.wanted(); ++c) {
    const S one = of_class(c);
    write_row(out, c, Index(1), &one);
  }
  return result;
}

template <class S>
MarginLossResult evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                          const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return margin_loss<S>(options, call);
}

template <class S>
Result evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs, const Rows<S>& betas,
                const GradientRows<S>& d_betas) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  const char* name = inputs.has_references ? "query_labels" : "labels";
  return margin_loss<S>(options, call, name, inputs.targets, betas, d_betas);
}

}  // namespace nearfar::detail
