#pragma once

#include <optional>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/listed_call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/score_range.hpp"
#include "nearfar/losses/triplet.hpp"
#include "nearfar/terms/triplet_term.hpp"

namespace nearfar::detail {

/// The scores of triplets; with_swap has those of positive and negative, which may replace those of
/// the anchor and the negative.
template <class S>
struct TripletScores {
  PairedScores<S> with_positive;
  PairedScores<S> with_negative;
  std::optional<PairedScores<S>> with_swap;
};

/// Value, counts and dL/ds of n triplets.
template <class S>
Result triplets_of_scores(const TripletOptions& options, Call<S>& call, Index n,
                          const TripletScores<S>& scores) {
  const KernelValue<S>& kernel = call.kernel();
  const auto& [with_positive, with_negative, swapped] = scores;
  Result result;
  Diagnostics& d = result.diagnostics;
  fold_scores(kernel, n, with_positive.s, d);
  fold_scores(kernel, n, with_negative.s, d);
  const S sign = static_cast<S>(kernel.sign());
  double* values = call.scratch().template take<double>(n);
  for (Index i = 0; i < n; ++i) {
    const bool swap = swapped && sign * swapped->s[i] > sign * with_negative.s[i];
    const PairedScores<S>& negative = swap ? *swapped : with_negative;
    const double gap = kernel.sign() * (static_cast<double>(negative.s[i]) -
                                        static_cast<double>(with_positive.s[i]));
    const TripletTerm term(options.form, gap + options.margin);
    values[i] = term.value;
    const S g = static_cast<S>(kernel.sign() * term.slope * row_upstream(call.upstream(), i));
    with_positive.g[i] = -g;
    negative.g[i] = g;
  }
  const auto value_of = [&](Index i) { return values[i]; };
  count_terms(n, value_of, d);
  call.reduce(n, value_of, result);
  return result;
}

template <class S>
Result evaluate(const TripletOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 3>& inputs) {
  const auto& [anchors, positives, negatives] = inputs.rows;
  const Index n = anchors.rows();
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"anchors", anchors, inputs.gradients[0]});
  call.add(Side::key, {"positives", positives, inputs.gradients[1]});
  call.add(Side::key, {"negatives", negatives, inputs.gradients[2]});
  call.check_same_rows();
  call.check(n);
  call.pack();

  const auto score = [&](int x, int y) {
    const PairedScores<S> pairs(call.scratch(), n);
    paired_scores(call.threads(), kernel, call.rows(x), call.rows(y), pairs);
    return pairs;
  };
  TripletScores<S> scores{score(0, 1), score(0, 2), {}};
  if (options.swap) scores.with_swap = score(1, 2);
  const Result result = triplets_of_scores(options, call, n, scores);
  if (!call.wants_gradients()) return result;

  const auto add = [&](int x, int y, const PairedScores<S>& pairs) {
    add_paired_gradients(call.threads(), kernel, call.rows(x), call.rows(y), pairs,
                         call.gradients(x), call.gradients(y));
  };
  add(0, 1, scores.with_positive);
  add(0, 2, scores.with_negative);
  if (scores.with_swap) add(1, 2, *scores.with_swap);
  call.scatter(call.scale(result.diagnostics));
  return result;
}

template <class S>
Result evaluate(const TripletOptions& options, const KernelValue<S>& kernel,
                const TripletListInputs<S>& inputs) {
  const TripletList& triplets = inputs.triplets;
  const Index n = triplets.anchors.size();
  ListedCall<S> listed(kernel, options.reduction, inputs);
  Call<S>& call = listed.call();
  const Index* anchors = listed.numbers(triplets.anchors);
  const Index* positives = listed.numbers(triplets.positives);
  const Index* negatives = listed.numbers(triplets.negatives);
  const PairNumbers with_positive{n, anchors, positives};
  const PairNumbers with_negative{n, anchors, negatives};
  const PairNumbers with_swap{n, positives, negatives};
  TripletScores<S> scores{listed.scores(with_positive), listed.scores(with_negative), {}};
  if (options.swap) scores.with_swap = listed.scores(with_swap, true);
  const Result result = triplets_of_scores(options, call, n, scores);
  if (!call.wants_gradients()) return result;

  listed.add_gradients(with_positive, scores.with_positive);
  listed.add_gradients(with_negative, scores.with_negative);
  if (scores.with_swap) listed.add_gradients(with_swap, *scores.with_swap, true);
  call.scatter(call.scale(result.diagnostics));
  return result;
}

}  // namespace nearfar::detail
