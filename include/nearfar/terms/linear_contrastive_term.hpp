#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/linear_contrastive.hpp"

/// \file
/// The term of linear hinges on pairs: positives nearer than one margin and negatives farther than
/// another cost nothing.

namespace nearfar::detail {

template <class S>
class LinearContrastiveTerm final : public LabelledTerm<S> {
 public:
  LinearContrastiveTerm(Scratch& scratch, Index rows, int sign, const ByKind<double>& margins,
                        const PositiveRule<S>& rule, const Upstream& upstream)
      : LabelledTerm<S>(rule),
        sign_(sign),
        margins_{static_cast<S>(margins.positive), static_cast<S>(margins.negative)},
        upstream_(upstream),
        rows_(scratch.take<ByKind<LinearHinges>>(rows)) {}

  /// Factors of the hinges of each kind, 1 unless set; before rows are started.
  void set_scales(const ByKind<double>& scales) { scales_ = scales; }

  /// Sums of an anchor's hinges, before scales.
  const ByKind<LinearHinges>& operator[](Index i) const { return rows_[i]; }

  bool gradient_is_local() const override { return true; }

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const ByKind<LinearHinges> sums = loops_.sums(n, s, sign_, positives.mask(), margins_);
    add(sums.positive, rows_[i].positive);
    add(sums.negative, rows_[i].negative);
  }

  void close(Index) override {}

  double value(Index i) const override {
    return scales_.positive * rows_[i].positive.sum + scales_.negative * rows_[i].negative.sum;
  }

  /// A positive's hinge increases with its distance, a negative's decreases.
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double above = sign_ * upstream_[i];
    loops_.gradient(
        n, s, sign_, positives.mask(), margins_,
        {static_cast<S>(-above * scales_.positive), static_cast<S>(above * scales_.negative)}, g);
  }

  // As VisitingTerm has them.

  using OpenRow = ByKind<LinearHinges>;
  using ClosedRow = NoClosedRow;

  LinearContrastiveTerm of_visitors(Scratch& scratch, Index rows) const {
    LinearContrastiveTerm out = *this;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.rows_ = scratch.take<ByKind<LinearHinges>>(rows);
    return out;
  }
  Index numbers_along() const { return upstream_.numbers(); }
  void give_numbers(Index i, double* to) const { upstream_.give(i, to); }
  void take_numbers(Index i, const double* from) { upstream_.take(i, from); }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) {
    add(more.positive, rows_[i].positive);
    add(more.negative, rows_[i].negative);
  }

 private:
  static void add(const LinearHinges& some, LinearHinges& to) {
    to.sum += some.sum;
    to.active += some.active;
  }

  const LinearContrastiveLoops<S>& loops_ = linear_contrastive_loops<S>();
  int sign_;
  ByKind<S> margins_;
  ByKind<double> scales_{1, 1};
  VisitingUpstream upstream_;
  ByKind<LinearHinges>* rows_;
};

}  // namespace nearfar::detail
