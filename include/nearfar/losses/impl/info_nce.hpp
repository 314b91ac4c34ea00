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
/// Null positives: own key i is the positive of own query i.
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

/// The positives of the kept queries, by their numbers among the kept keys. Null: key i is the
/// positive of query i. Throws if a query is kept and its positive is not.
inline Labels positives_among(Scratch& scratch, const Labels* positives, const KeptRows& queries,
                              const KeptRows& keys) {
  if (positives != nullptr) check_label_count("positives", *positives, queries.all);
  auto* out = scratch.take<std::int64_t>(queries.count);
  auto* place = scratch.take<Index>(keys.all);
  std::fill_n(place, keys.all, Index(-1));
  for (Index j = 0; j < keys.count; ++j) place[keys[j]] = j;
  for (Index i = 0; i < queries.count; ++i) {
    const std::int64_t j = positives != nullptr ? (*positives)[queries[i]] : queries[i];
    if (j < 0 || j >= keys.all) {
      fail_argument("positives", "indices from 0 to " + std::to_string(keys.all - 1),
                    std::to_string(j) + " for row " + std::to_string(queries[i]));
    }
    out[i] = place[j];
    if (out[i] < 0) {
      fail_argument("key_targets", "no unlabelled key that is the positive of a labelled query",
                    "key " + std::to_string(j) + " for row " + std::to_string(queries[i]));
    }
  }
  return {out, queries.count};
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
  Scratch& scratch = call.scratch();
  const NamedTargets all_queries{"query_targets", targets.of_queries};
  const NamedTargets all_keys{"key_targets", targets.of_keys};
  const LabelledRows of_queries = labelled_rows(scratch, all_queries, n);
  const LabelledRows of_keys = labelled_rows(scratch, all_keys, keys.rows());
  call.add(Side::query, {"queries", queries, inputs.gradients[0]}, of_queries.rows);
  call.add(Side::key, {"keys", keys, inputs.gradients[1]}, of_keys.rows);
  call.check(of_queries.rows);
  check_ids_alone({"query_targets", of_queries.targets}, of_queries.rows.count,
                  {"key_targets", of_keys.targets}, of_keys.rows.count);
  if (of_queries.targets.has_ids()) {
    call.leave_out(of_queries.targets.ids(), of_keys.targets.ids());
  }
  if (leaves_out(all_queries) || leaves_out(all_keys)) {
    const Labels positives =
        positives_among(scratch, targets.positives, of_queries.rows, of_keys.rows);
    call.pack();
    return info_nce<S>(options, call, &positives);
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
