#pragma once

#include <optional>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/score_range.hpp"
#include "nearfar/losses/triplet.hpp"
#include "nearfar/terms/triplet_term.hpp"

namespace nearfar::detail {

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
  const PairedScores<S> with_positive = score(0, 1);
  const PairedScores<S> with_negative = score(0, 2);
  std::optional<PairedScores<S>> swapped;
  if (options.swap) swapped = score(1, 2);

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
  if (!call.wants_gradients()) return result;

  const auto add = [&](int x, int y, const PairedScores<S>& pairs) {
    add_paired_gradients(call.threads(), kernel, call.rows(x), call.rows(y), pairs,
                         call.gradients(x), call.gradients(y));
  };
  add(0, 1, with_positive);
  add(0, 2, with_negative);
  if (swapped) add(1, 2, *swapped);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
