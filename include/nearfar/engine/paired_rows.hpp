#pragma once

#include <atomic>

#include "nearfar/engine/score_rows.hpp"

/// \file
/// Row i with row i: one score a row, straight from the rows.

namespace nearfar::detail {

/// The row of y that each row i of x is paired with: partner[i], or i when null.
using Partner = const Index*;

/// One pair a row of x: geometry values, scores and derivatives dL/ds.
template <class S>
struct PairedScores {
  S* u;
  S* s;
  S* g;

  /// Derivatives are zero.
  PairedScores(Scratch& scratch, Index n)
      : u(scratch.take<S>(n)), s(scratch.take<S>(n)), g(scratch.take<S>(n)) {
    std::fill_n(g, n, S(0));
  }
};

/// Sets u[i] and s[i] for row i of x and its partner in y. Throws std::domain_error when a distance
/// does not fit S.
template <class S>
void paired_scores(int threads, const KernelValue<S>& kernel, const PackedRows<S>& x,
                   const PackedRows<S>& y, const PairedScores<S>& out, Partner partner = nullptr) {
  std::atomic<bool> overflow = false;
  parallel_tasks(tasks_of(x.rows, rows_per_task), threads, [&](Index t, int) {
    const Index first = t * rows_per_task;
    const Index end = std::min(x.rows, first + rows_per_task);
    for (Index i = first; i < end; ++i) {
      const Index j = partner != nullptr ? partner[i] : i;
      out.u[i] = kernel.is_distance()
                     ? squared_distance_of_rows(x.depth, x.plain_row(i), y.plain_row(j))
                     : row_loops<S>().dot(x.depth, x.row(i), y.row(j));
    }
    if (kernel.geometry == Geometry::cosine) {
      score_loops<S>().clamp_cosines(end - first, out.u + first);
    }
    const S* s = scores_of(kernel, end - first, out.u + first, out.s + first);
    if (s != out.s + first) std::copy_n(s, end - first, out.s + first);
    if (kernel.function != ScoreFunction::square_root) return;
    for (Index i = first; i < end; ++i) {  // where the square does not fit S
      if (has_all_digits(out.u[i])) continue;
      const Index j = partner != nullptr ? partner[i] : i;
      const S distance = distance_of_rows(x.depth, x.plain_row(i), y.plain_row(j));
      if (distance > std::numeric_limits<S>::max()) overflow = true;
      out.s[i] = distance;
    }
  });
  if (overflow) fail_distance_overflow();
}

/// Adds the gradients of sum_i g_i s_i with respect to the packed rows, each where wanted; g
/// becomes dL/du. Rows of y may be partners of many: threads share out the elements of rows, not
/// the rows, so that every sum runs over i in order.
template <class S>
void add_paired_gradients(int threads, const KernelValue<S>& kernel, const PackedRows<S>& x,
                          const PackedRows<S>& y, const PairedScores<S>& pairs, RowGradients<S>& dx,
                          RowGradients<S>& dy, Partner partner = nullptr) {
  constexpr Index elements = 32;
  const RowLoops<S>& loops = row_loops<S>();
  chain_to_geometry(kernel, x.rows, pairs.u, pairs.s, pairs.g);
  parallel_tasks(tasks_of(x.depth, elements), threads, [&](Index t, int) {
    const Index k = t * elements;
    const Index n = std::min(elements, x.depth - k);
    for (Index i = 0; i < x.rows; ++i) {
      const S slope = pairs.g[i];
      if (slope == S(0)) continue;
      const Index j = partner != nullptr ? partner[i] : i;
      if (kernel.is_distance()) {
        const S* a = x.plain_row(i) + k;
        const S* b = y.plain_row(j) + k;
        if (dx.wanted()) {
          loops.add_scaled_difference(n, 2 * slope, a, b, dx.data + i * x.stride + k);
        }
        if (dy.wanted()) {
          loops.add_scaled_difference(n, -2 * slope, a, b, dy.data + j * y.stride + k);
        }
      } else {
        if (dx.wanted()) loops.add_product(n, slope, y.row(j) + k, dx.data + i * x.stride + k);
        if (dy.wanted()) loops.add_product(n, slope, x.row(i) + k, dy.data + j * y.stride + k);
      }
    }
  });
}

}  // namespace nearfar::detail
