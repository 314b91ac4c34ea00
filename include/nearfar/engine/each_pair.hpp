#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"

/// \file
/// Losses that are a function of each pair's score.

namespace nearfar::detail {

/// The loss of one pair and its derivative with respect to the score.
struct PairLoss {
  double value;
  double slope;
};

/// The result of pairs of rows of sets 0 and 1 of a packed call, with loss_of(i, score).
template <class S, class LossOf>
Result each_pair(Call<S>& call, const LossOf& loss_of) {
  const Index n = call.rows(0).rows;
  const PairedScores<S> pairs(call.scratch(), n);
  paired_scores(call.threads(), call.kernel(), call.rows(0), call.rows(1), pairs);
  const auto loss = [&](Index i) { return loss_of(i, static_cast<double>(pairs.s[i])); };
  const auto value = [&](Index i) { return loss(i).value; };
  Result result;
  Diagnostics& d = result.diagnostics;
  fold_scores(call.kernel(), n, pairs.s, d);
  count_terms(n, value, d);
  call.reduce(n, value, result);
  if (!call.wants_gradients()) return result;
  for (Index i = 0; i < n; ++i) {
    pairs.g[i] = static_cast<S>(loss(i).slope * row_upstream(call.upstream(), i));
  }
  add_paired_gradients(call.threads(), call.kernel(), call.rows(0), call.rows(1), pairs,
                       call.gradients(0), call.gradients(1));
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
