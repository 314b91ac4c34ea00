#pragma once

#include <string>

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/losses/hadsell.hpp"
#include "nearfar/terms/hadsell_term.hpp"

namespace nearfar::detail {

inline double hadsell_factor(const HadsellOptions& options) {
  return options.factor == SquareFactor::half ? 1.0 : 2.0;
}

inline void check_same_flags(const Labels& same, Index pairs) {
  check_label_count("same", same, pairs);
  for (Index i = 0; i < same.size(); ++i) {
    if (same[i] != 0 && same[i] != 1) {
      fail_argument("same", "0 or 1 for each pair",
                    std::to_string(same[i]) + " for pair " + std::to_string(i));
    }
  }
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
  const auto length = [&](Index i) {
    return hadsell_length(pairs.s[i], static_cast<S>(options.margin), same[i] == 1);
  };
  const double factor = hadsell_factor(options);
  const auto value = [&](Index i) {
    const double of_pair = static_cast<double>(length(i));
    return 0.5 * factor * of_pair * of_pair;
  };
  Result result;
  Diagnostics& d = result.diagnostics;
  fold_scores(kernel, n, pairs.s, d);
  count_terms(n, value, d);
  call.reduce(n, value, result);
  if (!call.wants_gradients()) return result;
  for (Index i = 0; i < n; ++i) {
    pairs.g[i] = (same[i] == 1 ? length(i) : -length(i)) *
                 static_cast<S>(factor * row_upstream(call.upstream(), i));
  }
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), pairs, call.gradients(0),
                       call.gradients(1));
  call.scatter(call.scale(d));
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
  // Rows with values of their own need every pair from both sides; else once is enough.
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
