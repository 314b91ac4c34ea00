#pragma once

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/excluded_pairs.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/per_query_pass.hpp"
#include "nearfar/losses/info_nce.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

/// The loss of queries whose positives are among the keys, in the frame of one process or of many.
/// Null positives: own key i is that of own query i.
template <class S, class Frame>
InfoNceResult info_nce(const InfoNceOptions& options, Frame& call, const Labels* positives) {
  const Index* column = nullptr;
  call.agree([&] {
    if (positives == nullptr) return;
    column = checked_indices(call.scratch(), "positives", *positives, call.own_rows(0),
                             call.all_rows(1), call.first_row(1));
  });
  auto term = call.template make<OnePositiveSoftmax<S>>(
      0,
      OnePositiveSettings<S>{
          call.kernel().sign(), options.temperature, options.denominator, {.column = column}},
      call.upstream());
  call.keep_positives(column);
  InfoNceResult result;
  call.run(term, 0, 1, result.diagnostics);
  finish_rows(call, options.unusable_anchors, options.temperature, term, result);
  return result;
}

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 2>& inputs, const InfoNceTargets& targets) {
  const auto& [queries, keys] = inputs.rows;
  const Index n = queries.rows();
  if (targets.positives == nullptr && keys.rows() < n) {
    fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add(Side::key, {"keys", keys, inputs.gradients[1]});
  call.check(n);
  check_ids_alone({"query_targets", targets.of_queries}, n, {"key_targets", targets.of_keys},
                  keys.rows());
  if (targets.of_queries.has_ids()) {
    call.leave_out(targets.of_queries.ids(), targets.of_keys.ids());
  }
  call.pack();
  return info_nce<S>(options, call, targets.positives);
}

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 3>& inputs, const Negatives<S>& negatives) {
  const auto& [queries, keys, others] = inputs.rows;
  const Index n = queries.rows();
  if (keys.rows() != n) {
    fail_argument("keys", "one key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  negatives.check_count("negatives", n);
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add(Side::key, {"keys", keys, inputs.gradients[1]});
  call.add_optional(Side::key, {"negatives", others, inputs.gradients[2]});
  call.check(n);
  call.pack();

  const PairedScores<S> positives(call.scratch(), n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), positives);
  OnePositiveSoftmax<S> term(
      call.scratch(), n,
      {kernel.sign(), options.temperature, options.denominator, {.paired = positives.s}},
      call.upstream());
  InfoNceResult result;
  Diagnostics& d = result.diagnostics;
  fold_scores(kernel, n, positives.s, d);
  if (negatives.shared()) {
    OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(2),
                         Pairing::all, excluded_by_ids(call.scratch(), negatives));
    call.run(pass, term, 0, 2, d);
  } else {
    PerQueryPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(2),
                         negatives);
    call.run(pass, term, 0, 2, d);
  }
  if (call.wants_gradients()) {
    for (Index i = 0; i < n; ++i) positives.g[i] = term.positive_gradient(i);
    add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), positives,
                         call.gradients(0), call.gradients(1));
  }
  finish_rows(call, options.unusable_anchors, options.temperature, term, result);
  return result;
}

}  // namespace nearfar::detail
