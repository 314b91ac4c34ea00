#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/engine/listed_call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/losses/hadsell.hpp"
#include "nearfar/terms/hadsell_term.hpp"

namespace nearfar::detail {

inline double hadsell_factor(const HadsellOptions& options) {
  return options.factor == SquareFactor::half ? 1.0 : 2.0;
}

/// Value, counts and dL/ds of `count` pairs from their scores; pair k is similar if is_similar(k).
template <class S, class IsSimilar>
Result hadsell_of_scores(const HadsellOptions& options, Call<S>& call, Index count,
                         const PairedScores<S>& pairs, const IsSimilar& is_similar) {
  const auto length = [&](Index k) {
    return hadsell_length(pairs.s[k], static_cast<S>(options.margin), is_similar(k));
  };
  const double factor = hadsell_factor(options);
  const auto value = [&](Index k) {
    const double of_pair = static_cast<double>(length(k));
    return 0.5 * factor * of_pair * of_pair;
  };
  Result result;
  Diagnostics& d = result.diagnostics;
  fold_scores(call.kernel(), count, pairs.s, d);
  count_terms(count, value, d);
  call.reduce(count, value, result);
  for (Index k = 0; k < count && call.wants_gradients(); ++k) {
    pairs.g[k] = (is_similar(k) ? length(k) : -length(k)) *
                 static_cast<S>(factor * row_upstream(call.upstream(), k));
  }
  return result;
}

template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 2>& inputs, const Labels& same) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "a", "b");
  call.check(n);
  check_same_flags(same, n);
  call.pack();

  const PairedScores<S> pairs(call.scratch(), n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), pairs);
  const Result result =
      hadsell_of_scores(options, call, n, pairs, [&](Index k) { return same[k] == 1; });
  if (!call.wants_gradients()) return result;
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), pairs, call.gradients(0),
                       call.gradients(1));
  call.scatter(call.scale(result.diagnostics));
  return result;
}

template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const PairListInputs<S>& inputs) {
  const Index positives = inputs.positives.first.size();
  const Index count = positives + inputs.negatives.first.size();
  ListedCall<S> listed(kernel, options.reduction, inputs, count);
  Call<S>& call = listed.call();
  const PairNumbers numbers = listed.numbers(inputs.positives, inputs.negatives);
  const PairedScores<S> pairs = listed.scores(numbers);
  const Result result =
      hadsell_of_scores(options, call, count, pairs, [&](Index k) { return k < positives; });
  if (!call.wants_gradients()) return result;
  listed.add_gradients(numbers, pairs);
  call.scatter(call.scale(result.diagnostics));
  return result;
}

/// The loss over labels, in the frame of one process or of many.
template <class S, class Frame>
Result hadsell(const HadsellOptions& options, Frame& call) {
  Result result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive && !negative; },
      "without another row to form a pair with");
  // If rows have values of their own, every pair is needed from both sides; else once is enough.
  const bool once = options.reduction != Reduction::none && call.pairs_are_mutual();
  const bool twice = call.same_rows() && !once;
  auto term = call.template make<HadsellTerm<S>>(
      options.margin, hadsell_factor(options) * (twice ? 0.5 : 1.0), call.rule(), call.upstream());
  if (once) {
    call.run_once(term, d);
  } else {
    call.run(term, d);
  }
  for (Index i = 0; i < call.anchors(); ++i) {
    d.terms += call.positives(i) + call.negatives(i);
    d.active_terms += term[i].active;
  }
  call.combine(d);
  if (call.same_rows()) d.terms /= 2;
  if (twice) {
    d.active_terms /= 2;
    d.zero_distances /= 2;
  }
  call.reduce([&](Index i) { return term[i].value; }, result);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return hadsell<S>(options, call);
}

}  // namespace nearfar::detail
