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
  call.take_bfloat16_products();
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

/// A call whose queries' positives are their own keys and whose negatives are sets of their own.
/// run(call, term, diagnostics) runs the passes over the negatives.
template <class S, class Run>
InfoNceResult with_negatives(const InfoNceOptions& options, Call<S>& call, const Run& run) {
  const KernelValue<S>& kernel = call.kernel();
  const Index n = call.rows(0).rows;
  const PairedScores<S> positives(call.scratch(), n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), positives);
  OnePositiveSoftmax<S> term(
      call.scratch(), n,
      {kernel.sign(), options.temperature, options.denominator, {.paired = positives.s}},
      call.upstream());
  InfoNceResult result;
  Diagnostics& d = result.diagnostics;
  fold_scores(kernel, n, positives.s, d);
  run(term, d);
  if (call.wants_gradients()) {
    for (Index i = 0; i < n; ++i) positives.g[i] = term.positive_gradient(i);
    add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), positives,
                         call.gradients(0), call.gradients(1));
  }
  finish_rows(call, options.unusable_anchors, options.temperature, term, result);
  return result;
}

/// The first two sets of rows, one key for each query.
template <class S, int sets>
void add_queries_with_keys(Call<S>& call, const Inputs<S, sets>& inputs) {
  const Index n = inputs.rows[0].rows();
  if (inputs.rows[1].rows() != n) {
    fail_argument("keys", "one key for each of " + std::to_string(n) + " queries",
                  std::to_string(inputs.rows[1].rows()) + " keys");
  }
  call.add(Side::query, {"queries", inputs.rows[0], inputs.gradients[0]});
  call.add(Side::key, {"keys", inputs.rows[1], inputs.gradients[1]});
}

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 3>& inputs, const Negatives<S>& negatives) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  add_queries_with_keys(call, inputs);
  negatives.check_count("negatives", n);
  call.add_optional(Side::key, {"negatives", inputs.rows[2], inputs.gradients[2]});
  if (negatives.shared()) call.take_bfloat16_products();
  call.check(n);
  call.pack();
  return with_negatives(options, call, [&](RowTerm<S>& term, Diagnostics& d) {
    if (negatives.shared()) {
      OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(2),
                           Pairing::all, excluded_by_ids(call.scratch(), negatives));
      call.run(pass, term, 0, 2, d);
    } else {
      PerQueryPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(2),
                           negatives);
      call.run(pass, term, 0, 2, d);
    }
  });
}

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 4>& inputs, const Negatives<S>& negatives,
                       const Negatives<S>& own_negatives) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  add_queries_with_keys(call, inputs);
  if (!negatives.shared()) {
    fail_argument("negatives", "rows that all queries share", "per_query(rows)");
  }
  if (own_negatives.shared()) {
    fail_argument("own_negatives", "per_query(rows)", "rows that all queries share");
  }
  negatives.check_count("negatives", n);
  own_negatives.check_count("own_negatives", n);
  call.add_optional(Side::key, {"negatives", inputs.rows[2], inputs.gradients[2]});
  call.add_optional(Side::key, {"own_negatives", inputs.rows[3], inputs.gradients[3]});
  call.check(n);
  call.pack();
  return with_negatives(options, call, [&](RowTerm<S>& term, Diagnostics& d) {
    PerQueryPass<S> own(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(3),
                        own_negatives);
    OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(2),
                         Pairing::all, excluded_by_ids(call.scratch(), negatives));
    OwnScoresTerm<S> both(term, own);
    call.run(pass, both, 0, 2, d);
    own.fold_range(d);
    if (call.wants_gradients()) own.add_gradients(term, call.gradients(0), call.gradients(3));
  });
}

}  // namespace nearfar::detail
