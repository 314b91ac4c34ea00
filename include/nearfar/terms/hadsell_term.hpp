#pragma once

#include <algorithm>
#include <cstdint>

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/hadsell.hpp"

/// The term of Hadsell's contrastive loss: d^2 / 2 for similar pairs, max(0, m - d)^2 / 2 for
/// others. Both are half the square of a length, which is also the derivative, up to its sign.

namespace nearfar::detail {

/// The length of one pair.
template <class S>
S hadsell_length(S distance, S margin, bool similar) {
  return similar ? distance : std::max(margin - distance, S(0));
}

/// Statistics of one row.
struct HadsellRow {
  double value;
  std::int64_t active;  ///< pairs above zero; a pair from both sides counts twice
};

/// Pairs over labels, in a score pass. `share` is the part of each pair that belongs to the row, 1
/// if a pair comes once and 1/2 if it comes from each side, times the factor of squares.
template <class S>
class HadsellTerm final : public LabelledTerm<S> {
 public:
  HadsellTerm(Scratch& scratch, Index rows, double margin, double share,
              const PositiveRule<S>& rule, const Upstream& upstream)
      : LabelledTerm<S>(rule),
        margin_(static_cast<S>(margin)),
        share_(share),
        upstream_(upstream),
        rows_(scratch.take<HadsellRow>(rows)) {}

  const HadsellRow& operator[](Index i) const { return rows_[i]; }

  bool gradient_is_local() const override { return true; }

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const HadsellSums sums = loops_.sums(n, s, positives.mask(), margin_);
    rows_[i].value += share_ * 0.5 * sums.squares;
    rows_[i].active += sums.active;
    if (!this->rule().is_mutual()) count_one_sided(i, first, n, s);
  }

  void close(Index) override {}
  double value(Index i) const override { return rows_[i].value; }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const S factor = static_cast<S>(share_ * upstream_[i]);
    loops_.gradient(n, s, positives.mask(), margin_, factor, g);
  }

  // As VisitingTerm has them.

  using OpenRow = HadsellRow;
  using ClosedRow = NoClosedRow;

  HadsellTerm of_visitors(Scratch& scratch, Index rows) const {
    HadsellTerm out = *this;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.rows_ = scratch.take<HadsellRow>(rows);
    return out;
  }
  Index numbers_along() const { return upstream_.numbers(); }
  void give_numbers(Index i, double* to) const { upstream_.give(i, to); }
  void take_numbers(Index i, const double* from) { upstream_.take(i, from); }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) {
    rows_[i].value += more.value;
    rows_[i].active += more.active;
  }

 private:
  /// Counts the pairs that row i lists and whose keys do not list row i. Such a pair is similar on
  /// one side and dissimilar on the other. It is active if either side is.
  void count_one_sided(Index i, Index first, Index n, const S* s) {
    for (const Index j : this->rule().listed(i, first, n)) {
      if (this->rule().lists(j, i)) continue;
      const bool here = hadsell_length(s[j - first], margin_, true) > S(0);
      const bool there = hadsell_length(s[j - first], margin_, false) > S(0);
      rows_[i].active += here != there ? 1 : 0;
    }
  }

  const HadsellLoops<S>& loops_ = hadsell_loops<S>();
  S margin_;
  double share_;
  VisitingUpstream upstream_;
  HadsellRow* rows_;
};

}  // namespace nearfar::detail
