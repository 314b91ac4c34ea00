#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/finite.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/scores/paired.hpp"

namespace nearfar::detail {

/// Checks the rows of a call that is ready otherwise.
template <class S>
void check_paired(Call<S>& call, const Inputs<S, 2>& inputs) {
  call.add_pairs(inputs, "a", "b");
  call.check(1);
}

template <class S>
void evaluate_paired(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs, S* scores) {
  Call<S> call(kernel, Reduction::sum, inputs);
  check_paired(call, inputs);
  call.pack();
  PairedScores<S> pairs(call.scratch(), inputs.rows[0].rows());
  pairs.s = scores;
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), pairs);
}

template <class S>
void evaluate_paired_backward(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs,
                              const Rows<S>& weights) {
  Call<S> call(kernel, Reduction::sum, inputs);
  check_paired(call, inputs);
  const Index n = inputs.rows[0].rows();
  if (weights.rows() != n) fail_shape("upstream", n, 1, weights.rows(), 1);
  check_finite("upstream", weights, call.threads());
  call.pack();
  const PairedScores<S> pairs(call.scratch(), n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), pairs);
  std::copy_n(weights.data(), n, pairs.g);
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), pairs, call.gradients(0),
                       call.gradients(1));
  call.scatter(call.scale({}));
}

}  // namespace nearfar::detail
