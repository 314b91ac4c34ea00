#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <nearfar/engine/row_term.hpp>
#include <random>
#include <vector>

/// \file
/// Terms that record the pairs they accumulate, and rows whose scores and gradients are exact.

namespace support {

using nearfar::Index;
using nearfar::Matrix;

/// Small integers.
template <class S>
Matrix<S> integer_rows(Index rows, Index cols, unsigned seed) {
  std::mt19937 generator(seed);
  return Matrix<S>::NullaryExpr(
      rows, cols, [&] { return static_cast<S>(static_cast<int>(generator() % 7u) - 3); });
}

/// Records what each row accumulates; pair (i, j) has the derivative derivative(i, j).
template <class S>
class RecordingTerm : public nearfar::RowTerm<S> {
 public:
  using Derivative = S (*)(Index, Index);

  struct Row {
    Index pairs;
    Index last;  ///< the last key accumulated: keys must come in ascending order
    bool in_order;
    bool closed;
    double sum;  ///< of scores times derivatives
  };

  RecordingTerm(Index rows, Index cols, Derivative derivative)
      : derivative_(derivative),
        cols_(cols),
        counts_(static_cast<std::size_t>(rows * cols), 0),
        rows_(static_cast<std::size_t>(rows)) {}

  /// The number of times each pair was accumulated, row by row.
  const std::vector<char>& counts() const { return counts_; }
  const Row& operator[](Index i) const { return rows_[static_cast<std::size_t>(i)]; }

  void start(Index i) override { row(i) = {0, -1, true, false, 0}; }
  void accumulate(Index i, Index first, Index n, const S* s) override { record(i, first, n, s); }
  void close(Index i) override { row(i).closed = true; }
  double value(Index) const override { return 0; }
  void gradient(Index i, Index first, Index n, const S*, S* g) override {
    Row& row = this->row(i);
    row.in_order = row.in_order && row.closed;
    for (Index k = 0; k < n; ++k) g[k] = derivative_(i, first + k);
  }

 protected:
  void record(Index i, Index first, Index n, const S* s) {
    Row& row = this->row(i);
    row.in_order = row.in_order && !row.closed && n > 0 && first > row.last;
    for (Index k = 0; k < n; ++k) {
      const Index j = first + k;
      ++counts_[static_cast<std::size_t>(i * cols_ + j)];
      row.sum += static_cast<double>(s[k]) * static_cast<double>(derivative_(i, j));
    }
    row.pairs += n;
    row.last = first + n - 1;
  }

 private:
  Row& row(Index i) { return rows_[static_cast<std::size_t>(i)]; }

  Derivative derivative_;
  Index cols_;
  std::vector<char> counts_;
  std::vector<Row> rows_;
};

/// The same for one sweep: the gradient accumulates.
template <class S>
class OneSweepRecordingTerm final : public RecordingTerm<S> {
 public:
  using RecordingTerm<S>::RecordingTerm;

  void accumulate(Index, Index, Index, const S*) override {
    ADD_FAILURE() << "the gradient accumulates";
  }
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    this->record(i, first, n, s);
    RecordingTerm<S>::gradient(i, first, n, s, g);
  }
  bool gradient_is_local() const override { return true; }
};

}  // namespace support
