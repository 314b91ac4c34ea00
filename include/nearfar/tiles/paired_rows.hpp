#pragma once

#include "nearfar/tiles/row_scores.hpp"

/// \file
/// Row i with row i: one score a row, straight from the rows.

namespace nearfar::detail {

/// u[i] and s[i] of the kernel for rows i of x and y.
template <Kernel K, class S>
void paired_scores(int threads, const K& kernel, const PreparedRows<S>& x, const PreparedRows<S>& y,
                   S* u, S* s) {
  using Row = Eigen::Map<const Vector<S>>;
  parallel_tasks(tasks_of(x.rows, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(x.rows, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      if constexpr (K::geometry == Geometry::squared_distance) {
        if constexpr (maps_queries<K>() || maps_keys<K>()) {
          u[i] = squared_distance_of(x.row(i), y.row(i), x.depth);
        } else {
          u[i] = squared_distance_of(x.input.row(i), y.input.row(i), x.depth);
        }
      } else {
        u[i] = Row(x.row(i), x.depth).dot(Row(y.row(i), y.depth));
      }
      s[i] = kernel.score(u[i]);
    }
  });
}

/// Adds the gradients of sum_i g_i s_i with respect to the prepared rows, each where wanted.
template <Kernel K, class S>
void add_paired_gradients(int threads, const K& kernel, const PreparedRows<S>& x,
                          const PreparedRows<S>& y, const S* u, const S* s, const S* g,
                          RowGradients<S>& dx, RowGradients<S>& dy) {
  using Row = Eigen::Map<const Vector<S>>;
  using Gradient = Eigen::Map<Vector<S>>;
  parallel_tasks(tasks_of(x.rows, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(x.rows, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      const S slope = g[i] * kernel.slope(u[i], s[i]);
      const Row xi(x.row(i), x.depth);
      const Row yi(y.row(i), y.depth);
      if constexpr (K::geometry == Geometry::squared_distance) {
        if constexpr (maps_queries<K>() || maps_keys<K>()) {
          if (dx.wanted()) Gradient(dx.data + i * x.stride, x.depth) += 2 * slope * (xi - yi);
          if (dy.wanted()) Gradient(dy.data + i * y.stride, y.depth) -= 2 * slope * (xi - yi);
        } else {
          const Row a(x.input.row(i), x.depth);
          const Row b(y.input.row(i), y.depth);
          if (dx.wanted()) Gradient(dx.data + i * x.stride, x.depth) += 2 * slope * (a - b);
          if (dy.wanted()) Gradient(dy.data + i * y.stride, y.depth) -= 2 * slope * (a - b);
        }
      } else {
        if (dx.wanted()) Gradient(dx.data + i * x.stride, x.depth) += slope * yi;
        if (dy.wanted()) Gradient(dy.data + i * y.stride, y.depth) += slope * xi;
      }
    }
  });
}

}  // namespace nearfar::detail
