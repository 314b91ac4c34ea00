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

/// True if the difference of a pair, with the squared distance u, is taken of the caller's rows:
/// always without a matrix; with one that maps differences, which costs its product, if packed rows
/// have lost digits that it needs.
template <class S>
bool needs_difference(const PackedRows<S>& x, const PackedRows<S>& y, Index i, Index j, S u) {
  if (!x.maps_differences()) return true;
  return !has_all_digits(u) || is_near(near_share<S>(x.depth), u, saturated<S>(x.squared_norm[i]),
                                       saturated<S>(y.squared_norm[j]));
}

/// Sets u[k] to the squared distance of pair k, first <= k < end.
template <class S>
void squared_distances(int thread, const PackedRows<S>& x, const PackedRows<S>& y,
                       const PairNumbers& pairs, Index first, Index end, S* u) {
  const auto set = [&](Index k, const S* a, const S* b) {
    u[k] = squared_distance_of_rows(x.depth, a, b);
  };
  auto differences = row_differences<Index>(x, y, thread, set);
  for (Index k = first; k < end; ++k) {
    const Index i = pairs.x(k);
    const Index j = pairs.y(k);
    if (x.maps_differences()) set(k, x.row(i), y.row(j));
    if (needs_difference(x, y, i, j, u[k])) differences.add(i, j, k);
  }
  differences.finish();
}

/// Sets u[k] and s[k] for pair k of a row of x and a row of y. Throws std::domain_error if a
/// distance overflows S.
template <class S>
void paired_scores(int threads, const KernelValue<S>& kernel, const PackedRows<S>& x,
                   const PackedRows<S>& y, const PairNumbers& pairs, const PairedScores<S>& out) {
  std::atomic<bool> overflow = false;
  parallel_tasks(tasks_of(pairs.count, rows_per_task), threads, [&](Index t, int thread) {
    const Index first = t * rows_per_task;
    const Index end = std::min(pairs.count, first + rows_per_task);
    if (kernel.is_distance()) {
      squared_distances(thread, x, y, pairs, first, end, out.u);
    } else {
      for (Index k = first; k < end; ++k) {
        out.u[k] = row_loops<S>().dot(x.depth, x.row(pairs.x(k)), y.row(pairs.y(k)));
      }
    }
    if (kernel.geometry == Geometry::cosine) {
      score_loops<S>().clamp_cosines(end - first, out.u + first);
    }
    const S* s = scores_of(kernel, end - first, out.u + first, out.s + first);
    if (s != out.s + first) std::copy_n(s, end - first, out.s + first);
    if (kernel.function != ScoreFunction::square_root) return;
    const auto set = [&](Index k, const S* a, const S* b) {
      out.s[k] = distance_of_rows(x.depth, a, b);
      if (out.s[k] > std::numeric_limits<S>::max()) overflow = true;
    };
    auto differences = row_differences<Index>(x, y, thread, set);
    for (Index k = first; k < end; ++k) {  // if the square overflows S
      if (!has_all_digits(out.u[k])) differences.add(pairs.x(k), pairs.y(k), k);
    }
    differences.finish();
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
    const auto add = [&](Index p, const S* a, const S* b) {
      const S slope = scores.g[p];
      if (dx.wanted()) {
        loops.add_scaled_difference(n, 2 * slope, a, b, dx.data + pairs.x(p) * x.stride + k);
      }
      if (dy.wanted()) {
        loops.add_scaled_difference(n, -2 * slope, a, b, dy.data + pairs.y(p) * y.stride + k);
      }
    };
    auto differences = row_differences<Index>(x, y, thread, {k, n}, add);
    for (Index p = 0; p < pairs.count; ++p) {
      const S slope = scores.g[p];
      if (slope == S(0)) continue;
      const Index i = pairs.x(p);
      const Index j = pairs.y(p);
      if (kernel.is_distance()) {
        if (needs_difference(x, y, i, j, scores.u[p])) {
          differences.add(i, j, p);
        } else {
          add(p, x.row(i) + k, y.row(j) + k);
        }
      } else {
        if (dx.wanted()) loops.add_product(n, slope, y.row(j) + k, dx.data + i * x.stride + k);
        if (dy.wanted()) loops.add_product(n, slope, x.row(i) + k, dy.data + j * y.stride + k);
      }
    }
    differences.finish();
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
