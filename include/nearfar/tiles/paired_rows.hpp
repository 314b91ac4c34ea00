#pragma once

#include "nearfar/tiles/row_scores.hpp"

/// \file
/// Row i with row i: one score a row, straight from the rows.

namespace nearfar::detail {

/// Which row of y row i of x goes with: partner[i], or i when null.
using Partner = const Index*;

/// u[i] and s[i] of the kernel for row i of x and its partner in y.
template <Kernel K, class S>
void paired_scores(int threads, const K& kernel, const PreparedRows<S>& x, const PreparedRows<S>& y,
                   S* u, S* s, Partner partner = nullptr) {
  using Row = Eigen::Map<const Vector<S>>;
  parallel_tasks(tasks_of(x.rows, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(x.rows, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      const Index j = partner != nullptr ? partner[i] : i;
      if constexpr (K::geometry == Geometry::squared_distance) {
        u[i] = squared_distance_of(plain_row<K>(x, i), plain_row<K>(y, j), x.depth);
      } else {
        u[i] = Row(x.row(i), x.depth).dot(Row(y.row(j), y.depth));
        if constexpr (K::geometry == Geometry::cosine) u[i] = clamped_cosine(u[i]);
      }
      s[i] = kernel.score(u[i]);
    }
  });
}

/// Adds the gradients of sum_i g_i s_i with respect to the prepared rows, each where wanted. Rows
/// of y may be partners of many: threads share out the elements of rows, not the rows, so that
/// every sum runs over i in order.
template <Kernel K, class S>
void add_paired_gradients(int threads, const K& kernel, const PreparedRows<S>& x,
                          const PreparedRows<S>& y, const S* u, const S* s, const S* g,
                          RowGradients<S>& dx, RowGradients<S>& dy, Partner partner = nullptr) {
  using Row = Eigen::Map<const Vector<S>>;
  using Gradient = Eigen::Map<Vector<S>>;
  constexpr Index elements = 32;
  parallel_tasks(tasks_of(x.depth, elements), threads, [&](Index t, int) {
    const Index k = t * elements;
    const Index n = std::min(elements, x.depth - k);
    for (Index i = 0; i < x.rows; ++i) {
      if (g[i] == S(0)) continue;
      const Index j = partner != nullptr ? partner[i] : i;
      const S slope = g[i] * kernel.slope(u[i], s[i]);
      if constexpr (K::geometry == Geometry::squared_distance) {
        const Row a(plain_row<K>(x, i) + k, n);
        const Row b(plain_row<K>(y, j) + k, n);
        if (dx.wanted()) Gradient(dx.data + i * x.stride + k, n) += 2 * slope * (a - b);
        if (dy.wanted()) Gradient(dy.data + j * y.stride + k, n) -= 2 * slope * (a - b);
      } else {
        const Row a(x.row(i) + k, n);
        const Row b(y.row(j) + k, n);
        if (dx.wanted()) Gradient(dx.data + i * x.stride + k, n) += slope * b;
        if (dy.wanted()) Gradient(dy.data + j * y.stride + k, n) += slope * a;
      }
    }
  });
}

}  // namespace nearfar::detail
