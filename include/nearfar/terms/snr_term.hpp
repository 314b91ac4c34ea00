#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/double_hinges.hpp"

/// \file
/// The term of linear hinges on distances that are divided by a number of the anchor.

namespace nearfar::detail {

template <class S>
class SnrTerm final : public LabelledTerm<S> {
 public:
  /// `signal`, one number >= 0 an anchor, divides the row's scores. An anchor with 0 has no terms.
  SnrTerm(Scratch& scratch, Index rows, const double* signal, const ByKind<double>& margins,
          const PositiveRule<S>& rule, const Upstream& upstream)
      : LabelledTerm<S>(rule),
        signal_(signal),
        margins_(margins),
        upstream_(upstream),
        rows_(scratch.take<ByKind<LinearHinges>>(rows)) {}

  /// Factors of the hinges of each kind; 1 unless set.
  void set_scales(const ByKind<double>& scales) { scales_ = scales; }

  /// Sums of an anchor's hinges, before scales.
  const ByKind<LinearHinges>& operator[](Index i) const { return rows_[i]; }

  bool gradient_is_local() const override { return true; }

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    if (!(signal_[i] > 0)) return;
    const RowPositives<S> positives(this->rule(), i, first, n);
    const auto sums = loops_.hinge_sums(n, s, positives.mask(), hinges(i));
    add(sums.positive, rows_[i].positive);
    add(sums.negative, rows_[i].negative);
  }

  void close(Index) override {}

  double value(Index i) const override {
    return scales_.positive * rows_[i].positive.sum + scales_.negative * rows_[i].negative.sum;
  }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    if (!(signal_[i] > 0)) {
      std::fill_n(g, n, S(0));
      return;
    }
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double above = upstream_[i] / signal_[i];
    loops_.linear_gradient(n, s, positives.mask(), hinges(i),
                           {above * scales_.positive, -above * scales_.negative}, g);
  }

  /// The derivative through |z_i|^2, as a multiple of the row z_i: -2 / |z_i|^2 times the sum of
  /// its active distances, negative pairs' with a minus.
  double along_row(Index i) const {
    if (!(signal_[i] > 0)) return 0;
    const ByKind<LinearHinges>& own = rows_[i];
    const double positive =
        own.positive.sum + margins_.positive * static_cast<double>(own.positive.active);
    const double negative =
        margins_.negative * static_cast<double>(own.negative.active) - own.negative.sum;
    const double active = scales_.positive * positive - scales_.negative * negative;
    // The signal may be so small that its inverse is infinite; without active pairs the result is
    // 0.
    return active != 0 ? -2 * upstream_[i] / signal_[i] * active : 0;
  }

  // As VisitingTerm has them.

  using OpenRow = ByKind<LinearHinges>;
  using ClosedRow = NoClosedRow;

  SnrTerm of_visitors(Scratch& scratch, Index rows) const {
    SnrTerm out = *this;
    out.signal_of_visitors_ = scratch.take<double>(rows);
    out.signal_ = out.signal_of_visitors_;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.rows_ = scratch.take<ByKind<LinearHinges>>(rows);
    return out;
  }
  Index numbers_along() const { return 1 + upstream_.numbers(); }
  void give_numbers(Index i, double* to) const {
    to[0] = signal_[i];
    upstream_.give(i, to + 1);
  }
  void take_numbers(Index i, const double* from) {
    signal_of_visitors_[i] = from[0];
    upstream_.take(i, from + 1);
  }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) {
    add(more.positive, rows_[i].positive);
    add(more.negative, rows_[i].negative);
  }

 private:
  template <class Hinges>
  static void add(const Hinges& some, LinearHinges& to) {
    to.sum += some.sum;
    to.active += some.active;
  }

  /// Of scores divided by the signal; its inverse may be infinite, and a score 0.
  DoubleHinges hinges(Index i) const {
    return {-1, std::min(1 / signal_[i], std::numeric_limits<double>::max()), margins_};
  }

  const DoubleHingeLoops<S>& loops_ = double_hinge_loops<S>();
  const double* signal_;
  ByKind<double> margins_;
  ByKind<double> scales_{1, 1};
  VisitingUpstream upstream_;
  ByKind<LinearHinges>* rows_;
  double* signal_of_visitors_ = nullptr;
};

}  // namespace nearfar::detail
