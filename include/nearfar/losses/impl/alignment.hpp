#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/directions.hpp"
#include "nearfar/engine/score_rows.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/alignment.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result alignment(const AlignmentOptions& options, Frame& call) {
  const Index n = call.own_rows(0);
  const PackedRows<S>& u = call.rows(0);
  const PackedRows<S>& v = call.rows(1);
  const RowGradients<S> du = call.gradients(0);
  const RowGradients<S> dv = call.gradients(1);
  double* values = nullptr;
  double* distances = nullptr;
  call.agree([&] {
    values = call.scratch().template take<double>(n);
    distances = call.scratch().template take<double>(n);
  });
  each_row(n, call.threads(), [&](Index i) {
    // From the rows themselves: 2 - 2 cos has no digits left when the distance is small.
    const double of_rows =
        static_cast<double>(squared_distance_of_rows(u.depth, u.row(i), v.row(i)));
    const bool in_double = std::is_same_v<S, float> && of_rows < near_directions;
    if (in_double) {
      refine_norm(u, i);
      refine_norm(v, i);
    }
    const double squared = in_double ? squared_difference(u, i, v, i) : of_rows;
    distances[i] = std::sqrt(squared);
    values[i] = options.alpha == 2   ? squared
                : options.alpha == 1 ? distances[i]
                                     : std::pow(distances[i], options.alpha);
    if (!(squared > 0)) return;
    const double slope = row_upstream(call.upstream(), i) * options.alpha * values[i] / squared;
    const auto add = [&](const RowGradients<S>& to, const PackedRows<S>& from,
                         const PackedRows<S>& other) {
      if (!to.wanted()) return;
      S* row = to.data + i * u.stride;
      if (in_double) {
        add_difference(slope, from, i, other, i, row);
      } else {
        row_loops<S>().add_scaled_difference(u.depth, static_cast<S>(slope), from.row(i),
                                             other.row(i), row);
      }
    };
    add(du, u, v);
    add(dv, v, u);
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
  call.combine(d);
  call.reduce(n, value_of, result);
  if (call.wants_gradients()) call.scatter(call.scale(d));
  return result;
}

template <class S>
Result evaluate(const AlignmentOptions& options, const Inputs<S, 2>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "x", "y");
  call.check(inputs.rows[0].rows());
  call.pack();
  return alignment<S>(options, call);
}

}  // namespace nearfar::detail
