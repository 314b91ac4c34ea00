#pragma once

#include <concepts>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/simd.hpp"

/// \file
/// What a loss is to those who walk over its scores.

namespace nearfar::detail {

/// A loss as a walk sees it. It gets the scores of a row in stretches, in order of columns, all
/// of them pairs that count:
/// - `start(i)`: statistics of row i before its first score (`Row`, trivially copyable);
/// - `observe(row, i, first, n, s)`: folds in the scores with keys first .. first + n - 1;
/// - `close(row, i)`: all scores were seen;
/// - `differentiate(row, i, first, n, s, g)`: writes g_j = dL/ds_ij, not yet scaled by the
///   reduction.
/// It is shared by threads: what it learns goes into `Row`, nowhere else.
template <class P, class S>
concept RowLoss = requires(const P& p, typename P::Row& row, Index i, const S* s, S* g) {
  { p.start(i) } -> std::same_as<typename P::Row>;
  p.observe(row, i, i, i, s);
  p.close(row, i);
  p.differentiate(row, i, i, i, s, g);
};

/// observe and differentiate, compiled once: walks call them in several places, a stretch at a
/// time, where a call costs nothing but copies of their loops would cost whoever compiles them.
template <class P, class S>
NEARFAR_NOT_INLINE void show(const P& loss, typename P::Row& row, Index i, Index first, Index n,
                             const S* s) {
  loss.observe(row, i, first, n, s);
}
template <class P, class S>
NEARFAR_NOT_INLINE void ask(const P& loss, typename P::Row& row, Index i, Index first, Index n,
                            const S* s, S* g) {
  loss.differentiate(row, i, first, n, s, g);
}

/// A RowLoss whose derivative with respect to a score asks for nothing but that score:
/// `differentiate` may be called before the row has seen them all. Says so by
/// `scores_are_independent`.
template <class P, class S>
concept IndependentScoresLoss = RowLoss<P, S> && P::scores_are_independent;

/// A RowLoss whose gradients are exponentials of its scores, but for one score a row: these then
/// take the scores' place as soon as they are known and are computed once. `in_place()` says
/// whether it is so with the options at hand. In the order of calls:
/// - `open(i, largest, at)`: as start, where `largest` is the largest of the row's scores and
///   `at(j)` refers to that with key j;
/// - `exponentiate(row, i, first, n, s)`: folds scores in and makes of each its share of the
///   gradient, but for a factor that is the row's;
/// - `close(row, i)`;
/// - `settle(row, i, at)`: the score that is different becomes its share;
/// - `factor(row, i)`: dL/ds_ij is the factor times what `at(j)` now is.
template <class P, class S>
concept InPlaceLoss = RowLoss<P, S> && requires(const P& p, typename P::Row& row, Index i, S* s) {
  { p.in_place() } -> std::same_as<bool>;
  p.exponentiate(row, i, i, i, s);
  { p.factor(row, i) } -> std::same_as<S>;
};

/// A loss that knows what a score weighs as soon as it sees it: `differentiate(row, i, first, n, s,
/// g)` folds scores in as well and is called once for each, on behalf of either of its rows, in an
/// order of keys that is the walk's.
template <class P, class S>
concept OnePassLoss = requires(const P& p, typename P::Row& row, Index i, const S* s, S* g) {
  { p.start(i) } -> std::same_as<typename P::Row>;
  p.differentiate(row, i, i, i, s, g);
};

/// A loss that must see a row as a whole, as mining does: `row(i, worker, n, s, g)` gets the scores
/// of query i with all n keys, itself included when it is one of them, returns the row's statistics
/// and, when g is not null, writes dL/ds_ij for all of them (0 for pairs that do not count).
/// `worker` < the walk's threads, for memory of its own.
template <class P, class S>
concept WholeRowLoss = requires(const P& p, Index i, const S* s, S* g) {
  { p.row(i, 0, i, s, g) } -> std::same_as<typename P::Row>;
};

}  // namespace nearfar::detail
