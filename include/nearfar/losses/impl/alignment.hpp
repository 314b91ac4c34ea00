#pragma once

#include <algorithm>
#include <cmath>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/score_rows.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/alignment.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const AlignmentOptions& options, const Inputs<S, 2>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "x", "y");
  call.check(n);
  call.pack();

  const PackedRows<S>& u = call.rows(0);
  const PackedRows<S>& v = call.rows(1);
  const RowGradients<S> du = call.gradients(0);
  const RowGradients<S> dv = call.gradients(1);
  double* values = call.scratch().template take<double>(n);
  double* distances = call.scratch().template take<double>(n);
  each_row(n, call.threads(), [&](Index i) {
    // From the rows themselves: 2 - 2 cos would lose what is left of a small distance.
    const double squared =
        static_cast<double>(squared_distance_of_rows(u.depth, u.row(i), v.row(i)));
    distances[i] = std::sqrt(squared);
    values[i] = std::pow(distances[i], options.alpha);
    if (!(squared > 0)) return;
    const S g =
        static_cast<S>(row_upstream(call.upstream(), i) * options.alpha * values[i] / squared);
    const auto add = [&](const RowGradients<S>& to, const S* from, const S* other) {
      if (!to.wanted()) return;
      row_loops<S>().add_scaled_difference(u.depth, g, from, other, to.data + i * u.stride);
    };
    add(du, u.row(i), v.row(i));
    add(dv, v.row(i), u.row(i));
  });

  Result result;
  Diagnostics& d = result.diagnostics;
  const auto value_of = [&](Index i) { return values[i]; };
  count_terms(n, value_of, d);
  for (Index i = 0; i < n; ++i) {
    d.zero_distances += distances[i] > 0 ? 0 : 1;
    d.smallest_score = std::min(d.smallest_score, distances[i]);
    d.largest_score = std::max(d.largest_score, distances[i]);
  }
  call.reduce(n, value_of, result);
  if (call.wants_gradients()) call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
