#pragma once

#include <algorithm>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/directions.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/negative_cosine.hpp"

namespace nearfar::detail {

/// A loss of pairs of the form factor |u - v|^2 + offset, where 2 cos(u, v) = 2 - |u - v|^2.
struct PredictionForm {
  double factor;
  double offset;
};

template <class S>
Result predictions(Reduction reduction, const PredictionForm& form, const Inputs<S, 4>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, reduction, inputs);
  call.add_stacked(Side::query, {"prediction1", inputs.rows[0], inputs.gradients[0]},
                   {"prediction2", inputs.rows[1], inputs.gradients[1]});
  call.add_stacked(Side::key, {"target2", inputs.rows[3]}, {"target1", inputs.rows[2]});
  call.check_same_rows();
  call.check(n);
  call.pack();

  const PackedRows<S>& p = call.rows(0);
  const PackedRows<S>& z = call.rows(1);
  const RowGradients<S> dp = call.gradients(0);
  double* squares = call.scratch().template take<double>(2 * n);
  each_row(2 * n, call.threads(), [&](Index i) {
    const bool has_cosine = p.inverse_norm[i] > 0 && z.inverse_norm[i] > 0;
    squares[i] = has_cosine ? squared_difference(p, i, z, i) : 2;
    if (squares[i] < near_directions) {
      refine_norm(p, i);
      refine_norm(z, i);
      squares[i] = squared_difference(p, i, z, i);
    }
    if (!dp.wanted() || !has_cosine) return;
    const double slope = 2 * form.factor * row_upstream(call.upstream(), i < n ? i : i - n);
    add_difference(slope, p, i, z, i, dp.data + i * p.stride);
  });

  Result result;
  Diagnostics& d = result.diagnostics;
  const auto value_of = [&](Index i) {
    return form.factor * (squares[i] + squares[i + n]) + 2 * form.offset;
  };
  count_terms(n, value_of, d);
  for (Index i = 0; i < 2 * n; ++i) {
    const double cosine = std::max(1 - squares[i] / 2, -1.0);
    d.smallest_score = std::min(d.smallest_score, cosine);
    d.largest_score = std::max(d.largest_score, cosine);
  }
  call.reduce(n, value_of, result);
  if (call.wants_gradients()) call.scatter(call.scale(d));
  return result;
}

template <class S>
Result evaluate(const NegativeCosineOptions& options, const Inputs<S, 4>& inputs) {
  return predictions(options.reduction, {0.25, -0.5}, inputs);
}

template <class S>
Result evaluate(const ByolOptions& options, const Inputs<S, 4>& inputs) {
  return predictions(options.reduction, {1, 0}, inputs);
}

}  // namespace nearfar::detail
