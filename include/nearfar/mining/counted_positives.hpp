#pragma once

#include <algorithm>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/positive_rule.hpp"

/// \file
/// Hinge losses over every triplet of a kind where an anchor's keys come in blocks: its positives
/// are collected first, then its negatives counted, then its positives weighted.

namespace nearfar::detail {

/// The positives of one anchor, in the order in which they come.
template <class S>
struct ArrivedPositives {
  S* numbers;   ///< their distances; later what pulls at each
  Index count;  ///< how many came so far
};

/// Collects the distances of anchors' positives. Has no gradients.
template <class S>
class CollectPositives final : public LabelledTerm<S> {
 public:
  /// For `rows` anchors, anchor i with count_of(i) positives. Distances are -sign * score.
  template <class CountOf>
  CollectPositives(Scratch& scratch, Index rows, const CountOf& count_of, int sign,
                   const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule), sign_(sign), rows_(scratch.take<ArrivedPositives<S>>(rows)) {
    for (Index i = 0; i < rows; ++i) rows_[i] = {scratch.take<S>(count_of(i)), 0};
  }

  ArrivedPositives<S>& operator[](Index i) { return rows_[i]; }
  ArrivedPositives<S>* data() { return rows_; }

  void start(Index i) override { rows_[i].count = 0; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    ArrivedPositives<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    for (Index k = 0; k < n; ++k) {
      if (positives[k]) row.numbers[row.count++] = S(-sign_) * s[k];
    }
  }

  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

 private:
  int sign_;
  ArrivedPositives<S>* rows_;
};

/// Gives the positives, which come in the same order again, their weights.
template <class S>
class DrawPositives final : public LabelledTerm<S> {
 public:
  /// `rows` anchors' positives, whose numbers are what pulls at each. The upstream must outlive the
  /// term.
  DrawPositives(ArrivedPositives<S>* positives, Index rows, int sign, const PositiveRule<S>& rule,
                const Upstream& upstream)
      : LabelledTerm<S>(rule), sign_(sign), upstream_(upstream), rows_(positives) {
    for (Index i = 0; i < rows; ++i) rows_[i].count = 0;
  }

  void start(Index i) override { rows_[i].count = 0; }
  void accumulate(Index, Index, Index, const S*) override {}
  void close(Index) override {}

  void gradient(Index i, Index first, Index n, const S*, S* g) override {
    ArrivedPositives<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double unit = -sign_ * row_upstream(upstream_, i);
    for (Index k = 0; k < n; ++k) {
      g[k] = positives[k] ? static_cast<S>(unit * static_cast<double>(row.numbers[row.count++]))
                          : S(0);
    }
  }

 private:
  int sign_;
  const Upstream& upstream_;
  ArrivedPositives<S>* rows_;
};

}  // namespace nearfar::detail
