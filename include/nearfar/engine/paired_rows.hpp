#pragma once

#include <atomic>

#include "nearfar/engine/score_rows.hpp"

/// \file
/// Pairs of rows, row i with row i or by numbers: one score a pair, computed from the rows.

namespace nearfar::detail {

/// The row of y that each row i of x is paired with: partner[i], or i when null.
using Partner = const Index*;

/// Pairs by number: pair k is row first[k] of one set and row second[k] of another; a null array
/// means row k.
struct PairNumbers {
  Index count = 0;
  const Index* first = nullptr;
  const Index* second = nullptr;

  Index x(Index k) const { return first != nullptr ? first[k] : k; }
  Index y(Index k) const { return second != nullptr ? second[k] : k; }
};

/// Geometry values, scores and derivatives dL/ds of pairs.
template <class S>
struct PairedScores {
  S* u;
  S* s;
  S* g;

  /// Derivatives begin as zero.
  PairedScores(Scratch& scratch, Index n)
      : u(scratch.take<S>(n)), s(scratch.take<S>(n)), g(scratch.take<S>(n)) {
    std::fill_n(g, n, S(0));
  }
};

/// Sets u[k] and s[k] for pair k of a row of x and a row of y. Throws std::domain_error if a
/// distance overflows S.
template <class S>
void paired_scores(int threads, const KernelValue<S>& kernel, const PackedRows<S>& x,
                   const PackedRows<S>& y, const PairNumbers& pairs, const PairedScores<S>& out) {
  std::atomic<bool> overflow = false;
  parallel_tasks(tasks_of(pairs.count, rows_per_task), threads, [&](Index t, int thread) {
    const PlainRow of_x{thread};
    const PlainRow of_y{thread, true};
    const Index first = t * rows_per_task;
    const Index end = std::min(pairs.count, first + rows_per_task);
    for (Index k = first; k < end; ++k) {
      const Index i = pairs.x(k);
      const Index j = pairs.y(k);
      out.u[k] = kernel.is_distance()
                     ? squared_distance_of_rows(x.depth, x.plain_row(i, of_x), y.plain_row(j, of_y))
                     : row_loops<S>().dot(x.depth, x.row(i), y.row(j));
    }
    if (kernel.geometry == Geometry::cosine) {
      score_loops<S>().clamp_cosines(end - first, out.u + first);
    }
    const S* s = scores_of(kernel, end - first, out.u + first, out.s + first);
    if (s != out.s + first) std::copy_n(s, end - first, out.s + first);
    if (kernel.function != ScoreFunction::square_root) return;
    for (Index k = first; k < end; ++k) {  // if the square overflows S
      if (has_all_digits(out.u[k])) continue;
      const S distance =
          distance_of_rows(x.depth, x.plain_row(pairs.x(k), of_x), y.plain_row(pairs.y(k), of_y));
      if (distance > std::numeric_limits<S>::max()) overflow = true;
      out.s[k] = distance;
    }
  });
  if (overflow) fail_distance_overflow();
}

/// The same for row i of x and its partner in y.
template <class S>
void paired_scores(int threads, const KernelValue<S>& kernel, const PackedRows<S>& x,
                   const PackedRows<S>& y, const PairedScores<S>& out, Partner partner = nullptr) {
  paired_scores(threads, kernel, x, y, PairNumbers{x.rows, nullptr, partner}, out);
}

/// Adds the gradients of sum_k g_k s_k with respect to the packed rows, each if wanted; g becomes
/// dL/du. Rows may be in many pairs, and x and y may be one set with one gradient. Threads divide
/// the elements of rows, not the pairs, so that every sum runs over pairs in order.
template <class S>
void add_paired_gradients(int threads, const KernelValue<S>& kernel, const PackedRows<S>& x,
                          const PackedRows<S>& y, const PairNumbers& pairs,
                          const PairedScores<S>& scores, RowGradients<S>& dx, RowGradients<S>& dy) {
  constexpr Index elements = 32;
  const RowLoops<S>& loops = row_loops<S>();
  chain_to_geometry(kernel, pairs.count, scores.u, scores.s, scores.g);
  parallel_tasks(tasks_of(x.depth, elements), threads, [&](Index t, int thread) {
    const Index k = t * elements;
    const Index n = std::min(elements, x.depth - k);
    for (Index p = 0; p < pairs.count; ++p) {
      const S slope = scores.g[p];
      if (slope == S(0)) continue;
      const Index i = pairs.x(p);
      const Index j = pairs.y(p);
      if (kernel.is_distance()) {
        const S* a = x.plain_part(i, k, n, {thread});
        const S* b = y.plain_part(j, k, n, {thread, true});
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

/// The same for row i of x and its partner in y.
template <class S>
void add_paired_gradients(int threads, const KernelValue<S>& kernel, const PackedRows<S>& x,
                          const PackedRows<S>& y, const PairedScores<S>& scores,
                          RowGradients<S>& dx, RowGradients<S>& dy, Partner partner = nullptr) {
  add_paired_gradients(threads, kernel, x, y, PairNumbers{x.rows, nullptr, partner}, scores, dx,
                       dy);
}

}  // namespace nearfar::detail
