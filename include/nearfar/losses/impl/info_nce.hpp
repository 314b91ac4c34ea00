#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/excluded_pairs.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/per_query_pass.hpp"
#include "nearfar/losses/info_nce.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

namespace nearfar::detail {

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 2>& inputs, const Labels* positives) {
  const auto& [queries, keys] = inputs.rows;
  const Index n = queries.rows();
  if (positives == nullptr && keys.rows() < n) {
    fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add(Side::key, {"keys", keys, inputs.gradients[1]});
  call.check(n);
  const Index* column = nullptr;
  if (positives != nullptr) {
    column = checked_indices(call.scratch(), "positives", *positives, n, keys.rows());
  }
  refuse_unusable(options.unusable_anchors, keys.rows() == 1 ? n : 0, "without a negative");
  call.pack();

  OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(1));
  OnePositiveSoftmax<S> term(
      call.scratch(), n,
      {kernel.sign(), options.temperature, options.denominator, {.column = column}},
      call.upstream());
  InfoNceResult result;
  Diagnostics& d = result.diagnostics;
  call.run(pass, term, 0, 1, d);
  term.count(d);
  call.reduce(
      n, [&](Index i) { return term[i].value; }, result);
  if (!call.wants_gradients()) return result;
  result.d_temperature = term.temperature_gradient(call.scale(d));
  call.scatter(call.scale(d));
  return result;
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
  const ExcludedPairs excluded = excluded_by_ids(call.scratch(), negatives);
  refuse_unusable(options.unusable_anchors, queries_without_negative(negatives, n, excluded),
                  "without a negative");
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
                         Pairing::all, excluded);
    call.run(pass, term, 0, 2, d);
  } else {
    PerQueryPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(2));
    call.run(pass, term, 0, 2, d);
  }
  term.count(d);
  call.reduce(
      n, [&](Index i) { return term[i].value; }, result);
  if (!call.wants_gradients()) return result;
  for (Index i = 0; i < n; ++i) positives.g[i] = term.positive_gradient(i);
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), positives,
                       call.gradients(0), call.gradients(1));
  result.d_temperature = term.temperature_gradient(call.scale(d));
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
