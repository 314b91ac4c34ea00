#pragma once

#include "nearfar/core/matrix.hpp"

/// \file
/// A loss as an argument of a score pass: statistics of rows of scores, and their derivatives.

namespace nearfar {

namespace detail {
template <class S>
class SoftmaxTerm;
}

/// The term of a loss: its summand for one row of scores. A score pass passes it the scores of a
/// row in parts, in ascending order of keys and without the pairs that do not count, and never
/// holds the N x M matrix. For each row, in this order:
///
/// - `start(i)`: before the row's first score;
/// - `accumulate(i, first, n, s)`: adds the scores s of row i with keys first .. first + n - 1;
/// - `close(i)`: after its last score, and then `value(i)`: the row's loss;
/// - `gradient(i, first, n, s, g)`, if gradients are wanted: writes g_j = dL/ds_ij for the same
///   scores again, without the divisor of the reduction; s and g do not overlap.
///
/// A term owns the statistics of its rows, one entry a row, and is otherwise constant during a
/// pass. Several threads call it, one thread at a time for each row. n is at most 384. Its
/// functions must not throw, because an exception cannot leave a thread.
template <class S>
class RowTerm {
 public:
  virtual void start(Index i) = 0;
  virtual void accumulate(Index i, Index first, Index n, const S* s) = 0;
  virtual void close(Index i) = 0;
  /// The loss of closed row i; 0 for a term whose loss is no sum over rows.
  virtual double value(Index) const { return 0; }
  virtual void gradient(Index i, Index first, Index n, const S* s, S* g) = 0;

  /// True if `gradient` needs the score alone; it may then be called before `close`.
  virtual bool gradient_is_local() const { return false; }

  /// The term as a log-sum-exp a row, for which passes have shortcuts; null for other terms.
  virtual detail::SoftmaxTerm<S>* softmax() { return nullptr; }

 protected:
  RowTerm() = default;
  RowTerm(const RowTerm&) = default;
  RowTerm& operator=(const RowTerm&) = default;
  ~RowTerm() = default;
};

/// A term that needs a row as a whole, for mining: `row(i, worker, n, s, g)` gets the scores of
/// query i with all n keys, including the query itself if it is one of them. Unless g is null, it
/// writes dL/ds_ij for all of them (0 for pairs that do not count). `worker`, below the number of
/// threads, is the number of the calling thread.
template <class S>
class RowMiner {
 public:
  virtual void row(Index i, int worker, Index n, const S* s, S* g) = 0;

 protected:
  RowMiner() = default;
  RowMiner(const RowMiner&) = default;
  RowMiner& operator=(const RowMiner&) = default;
  ~RowMiner() = default;
};

}  // namespace nearfar
