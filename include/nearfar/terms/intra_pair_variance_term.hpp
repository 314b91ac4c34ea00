#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/double_hinges.hpp"

/// \file
/// The term of squared hinges about the mean scores of positive and of negative pairs.

namespace nearfar::detail {

/// There are three passes: one sums scores, which gives the means; one sums hinges with bounds from
/// the means; one computes gradients from the sums of all hinges.
template <class S>
class IntraPairVarianceTerm final : public LabelledTerm<S> {
 public:
  IntraPairVarianceTerm(Scratch& scratch, Index rows, const PositiveRule<S>& rule,
                        const Upstream& upstream)
      : LabelledTerm<S>(rule),
        upstream_(upstream),
        sums_(scratch.take<ByKind<double>>(rows)),
        rows_(scratch.take<ByKind<SquaredHinges>>(rows)) {}

  /// Begins the pass of hinges: positives below one bound and negatives above the other.
  void begin_hinges(const ByKind<double>& bounds) {
    stage_ = Stage::hinges;
    bounds_ = bounds;
  }
  /// Begins the pass of gradients. A hinge's own derivative is multiplied by the factor of its
  /// kind; `through_mean` is added to the derivative of each score of a kind.
  void begin_gradients(const ByKind<double>& factors, const ByKind<double>& through_mean) {
    stage_ = Stage::gradients;
    factors_ = factors;
    through_mean_ = through_mean;
  }

  const ByKind<double>& sums(Index i) const { return sums_[i]; }
  const ByKind<SquaredHinges>& operator[](Index i) const { return rows_[i]; }

  void start(Index i) override {
    if (stage_ == Stage::sums) sums_[i] = {};
    if (stage_ == Stage::hinges) rows_[i] = {};
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    if (stage_ == Stage::gradients) return;
    const RowPositives<S> positives(this->rule(), i, first, n);
    if (stage_ == Stage::sums) {
      const ByKind<double> sums = loops_.score_sums(n, s, positives.mask());
      sums_[i].positive += sums.positive;
      sums_[i].negative += sums.negative;
      return;
    }
    const auto sums = loops_.hinge_sums(n, s, positives.mask(), hinges());
    add(sums.positive, rows_[i].positive);
    add(sums.negative, rows_[i].negative);
  }

  void close(Index) override {}

  bool gradient_is_local() const override { return stage_ == Stage::gradients; }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double above = 2 * upstream_[i];
    loops_.square_gradient(n, s, positives.mask(), hinges(),
                           {-above * factors_.positive, above * factors_.negative}, through_mean_,
                           g);
  }

  // As VisitingTerm has them.

  /// The sums of scores in the first pass are in the place of those of hinges.
  using OpenRow = ByKind<SquaredHinges>;
  using ClosedRow = NoClosedRow;

  IntraPairVarianceTerm of_visitors(Scratch& scratch, Index rows) const {
    IntraPairVarianceTerm out = *this;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.sums_ = scratch.take<ByKind<double>>(rows);
    out.rows_ = scratch.take<ByKind<SquaredHinges>>(rows);
    return out;
  }
  Index numbers_along() const { return stage_ == Stage::gradients ? upstream_.numbers() : 0; }
  void give_numbers(Index i, double* to) const { upstream_.give(i, to); }
  void take_numbers(Index i, const double* from) { upstream_.take(i, from); }
  OpenRow open_row(Index i) const {
    switch (stage_) {
      case Stage::sums:
        return {{sums_[i].positive, 0, 0}, {sums_[i].negative, 0, 0}};
      case Stage::hinges:
        return rows_[i];
      case Stage::gradients:
        break;
    }
    return {};
  }
  void merge(Index i, const OpenRow& more) {
    if (stage_ == Stage::sums) {
      sums_[i].positive += more.positive.sum;
      sums_[i].negative += more.negative.sum;
    } else if (stage_ == Stage::hinges) {
      add(more.positive, rows_[i].positive);
      add(more.negative, rows_[i].negative);
    }
  }

 private:
  enum class Stage { sums, hinges, gradients };

  static void add(const SquaredHinges& some, SquaredHinges& to) {
    to.sum += some.sum;
    to.squares += some.squares;
    to.active += some.active;
  }

  DoubleHinges hinges() const { return {1, 1, bounds_}; }

  const DoubleHingeLoops<S>& loops_ = double_hinge_loops<S>();
  VisitingUpstream upstream_;
  Stage stage_ = Stage::sums;
  ByKind<double> bounds_{0, 0};
  ByKind<double> factors_{0, 0};
  ByKind<double> through_mean_{0, 0};
  ByKind<double>* sums_;
  ByKind<SquaredHinges>* rows_;
};

}  // namespace nearfar::detail
