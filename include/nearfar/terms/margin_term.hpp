#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/linear_contrastive.hpp"

/// \file
/// The term of the margin based loss: hinges of pairs against a boundary, each times the number of
/// triplets that contain the pair.

namespace nearfar::detail {

/// One anchor.
template <class S>
struct MarginRow {
  ByKind<S> margins;      ///< scores beyond which hinges are above zero
  ByKind<double> counts;  ///< number of triplets that contain each of the anchor's pairs
  ByKind<LinearHinges> hinges;
};

template <class S>
class MarginTerm final : public LabelledTerm<S> {
 public:
  /// Arguments must outlive the term.
  MarginTerm(Scratch& scratch, Index rows, int sign, const PositiveRule<S>& rule,
             const Upstream& upstream)
      : LabelledTerm<S>(rule),
        sign_(sign),
        upstream_(upstream),
        rows_(scratch.take<MarginRow<S>>(rows)) {}

  /// Sets anchor i: its boundary and the numbers of its positives and negatives.
  void set(Index i, double beta, double margin, Index positives, Index negatives) {
    rows_[i] = {{saturated<S>(beta + sign_ * margin), saturated<S>(beta - sign_ * margin)},
                {static_cast<double>(negatives), static_cast<double>(positives)},
                {}};
  }

  /// The number of hinges above zero in all triplets of anchor i.
  std::int64_t active(Index i) const {
    const MarginRow<S>& row = rows_[i];
    return row.hinges.positive.active * static_cast<std::int64_t>(row.counts.positive) +
           row.hinges.negative.active * static_cast<std::int64_t>(row.counts.negative);
  }
  /// dL_i/dbeta_i.
  double d_beta(Index i) const {
    const MarginRow<S>& row = rows_[i];
    return sign_ * (row.counts.positive * static_cast<double>(row.hinges.positive.active) -
                    row.counts.negative * static_cast<double>(row.hinges.negative.active));
  }

  bool gradient_is_local() const override { return true; }

  void start(Index i) override { rows_[i].hinges = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    MarginRow<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const auto sums = loops_.sums(n, s, sign_, positives.mask(), row.margins);
    add(sums.positive, row.hinges.positive);
    add(sums.negative, row.hinges.negative);
  }

  void close(Index) override {}

  double value(Index i) const override {
    const MarginRow<S>& row = rows_[i];
    return row.counts.positive * row.hinges.positive.sum +
           row.counts.negative * row.hinges.negative.sum;
  }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const MarginRow<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double above = sign_ * upstream_[i];
    loops_.gradient(
        n, s, sign_, positives.mask(), row.margins,
        {static_cast<S>(-above * row.counts.positive), static_cast<S>(above * row.counts.negative)},
        g);
  }

  // As VisitingTerm has them.

  using OpenRow = ByKind<LinearHinges>;
  using ClosedRow = NoClosedRow;

  MarginTerm of_visitors(Scratch& scratch, Index rows) const {
    MarginTerm out = *this;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.rows_ = scratch.take<MarginRow<S>>(rows);
    return out;
  }
  Index numbers_along() const { return 4 + upstream_.numbers(); }
  void give_numbers(Index i, double* to) const {
    const MarginRow<S>& row = rows_[i];
    to[0] = static_cast<double>(row.margins.positive);
    to[1] = static_cast<double>(row.margins.negative);
    to[2] = row.counts.positive;
    to[3] = row.counts.negative;
    upstream_.give(i, to + 4);
  }
  void take_numbers(Index i, const double* from) {
    rows_[i] = {{static_cast<S>(from[0]), static_cast<S>(from[1])}, {from[2], from[3]}, {}};
    upstream_.take(i, from + 4);
  }
  OpenRow open_row(Index i) const { return rows_[i].hinges; }
  void merge(Index i, const OpenRow& more) {
    add(more.positive, rows_[i].hinges.positive);
    add(more.negative, rows_[i].hinges.negative);
  }

 private:
  static void add(const LinearHinges& some, LinearHinges& to) {
    to.sum += some.sum;
    to.active += some.active;
  }

  const LinearContrastiveLoops<S>& loops_ = linear_contrastive_loops<S>();
  int sign_;
  VisitingUpstream upstream_;
  MarginRow<S>* rows_;
};

}  // namespace nearfar::detail
