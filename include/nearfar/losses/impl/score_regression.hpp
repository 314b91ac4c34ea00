#pragma once

#include "nearfar/engine/each_pair.hpp"
#include "nearfar/losses/score_regression.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const ScoreRegressionOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 2>& inputs, const Numbers<S>& scores) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "a", "b");
  call.check(n);
  check_numbers("scores", scores, n);
  call.pack();
  return each_pair(call, [&](Index i, double score) -> PairLoss {
    const double error = score - static_cast<double>(scores[i]);
    return {error * error, 2 * error};
  });
}

}  // namespace nearfar::detail
