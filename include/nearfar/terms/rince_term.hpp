#pragma once

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

/// \file
/// The term of RINCE: powers of a softmax's numerator and denominator.

namespace nearfar::detail {

/// Settings of RinceTerm.
struct RinceSettings {
  int sign;  ///< of nearness: 1 for similarities, -1 for distances
  double temperature;
  double lambda;
  double q;
  const Index* positives = nullptr;  ///< the column of each row's positive; column i when null
};

/// A closed row.
struct RinceRow {
  double value;
  double temperature;  ///< sum of g_j s_j
  std::int64_t negatives;
};

/// With a = s_p / tau of the positive, l its softmax loss -log p_p, c = log(lambda) + l and
/// W = exp(q (a + c)):
///
///     L = exp(q a) (exp(q c) - 1) / q
///     dL/ds_j = W p_j / tau,   dL/ds_p = exp(q a) (exp(q log(lambda) - (1 - q) l) - 1) / tau
///
/// None of these is a difference of nearly equal numbers, and l keeps its digits when the positive
/// has most of the softmax. Negatives have the gradient of the softmax, times W.
template <class S>
class RinceTerm final : public SoftmaxTerm<S> {
 public:
  /// For `rows` rows. The upstream must outlive the term, which stays where it is made.
  RinceTerm(Scratch& scratch, Index rows, const RinceSettings& settings, const Upstream& upstream)
      : settings_(settings),
        log_lambda_(portable::log(settings.lambda)),
        upstream_(upstream),
        rows_(scratch.take<Row>(rows)),
        weights_(scratch.take<double>(rows)),
        of_rows_(weights_, rows),
        softmax_(scratch, rows,
                 {settings.sign,
                  settings.temperature,
                  Denominator::with_positive,
                  {.column = settings.positives}},
                 of_rows_) {}
  RinceTerm(const RinceTerm&) = delete;
  RinceTerm& operator=(const RinceTerm&) = delete;

  RinceRow operator[](Index i) const {
    return {rows_[i].value, softmax_[i].temperature + rows_[i].moment, softmax_[i].negatives};
  }
  double value(Index i) const override { return rows_[i].value; }

  void start(Index i) override {
    weights_[i] = 0;
    softmax_.start(i);
  }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    softmax_.accumulate(i, first, n, s);
  }

  void close(Index i) override {
    softmax_.close(i);
    const double tau = settings_.temperature;
    const double q = settings_.q;
    const double l = softmax_[i].value;
    const auto nearness = static_cast<double>(softmax_[i].positive);
    const double a = nearness / tau;
    const double c = log_lambda_ + l;
    const double above = row_upstream(upstream_, i);
    // The larger of the two powers is the factor of the bracket.
    const double bracket = c > 0 ? -portable::expm1(-q * c) : portable::expm1(q * c);
    const double powers = portable::exp(q * (c > 0 ? a + c : a)) * bracket;  // q L
    Row& row = rows_[i];
    row.value = powers / q;
    row.positive =
        above / tau * portable::exp(q * a) * portable::expm1(q * log_lambda_ - (1 - q) * l);
    // The softmax's own moments come from gradients that sum to zero; these sum to q L / tau.
    row.moment = above * powers * a;
    weights_[i] = above * portable::exp(q * (a + c));
  }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    softmax_.gradient(i, first, n, s, g);
    const Index positive = positive_of(i);
    if (positive >= first && positive < first + n) g[positive - first] = positive_gradient(i);
  }

  // The functions of SoftmaxTerm.

  Index positive_of(Index i) const override { return softmax_.positive_of(i); }

  // Nothing is in place: a positive's gradient would be relative to the negatives', which may
  // underflow beside it.

  bool shares_exponentials() const override { return softmax_.shares_exponentials(); }
  S rate() const override { return softmax_.rate(); }
  void set_positive(Index i, S score) override { softmax_.set_positive(i, score); }
  void leave_out(Index i) override { softmax_.leave_out(i); }
  void fold(Index first, Index count, S reference, const S* sums, Index n) override {
    softmax_.fold(first, count, reference, sums, n);
  }
  SoftmaxNumbers<S> numbers(Index i) const override { return softmax_.numbers(i); }
  S positive_gradient(Index i) const override {
    return static_cast<S>(settings_.sign * rows_[i].positive);
  }
  void add_moment(Index i, double moment) override { softmax_.add_moment(i, moment); }

  // As VisitingTerm has them: the softmax's, whose upstream has the weights of closed rows.

  using OpenRow = typename OnePositiveSoftmax<S>::OpenRow;
  using ClosedRow = typename OnePositiveSoftmax<S>::ClosedRow;

  RinceTerm of_visitors(Scratch& scratch, Index rows) const { return {scratch, rows, *this}; }
  Index numbers_along() const { return softmax_.numbers_along(); }
  void give_numbers(Index i, double* to) const { softmax_.give_numbers(i, to); }
  void take_numbers(Index i, const double* from) { softmax_.take_numbers(i, from); }
  OpenRow open_row(Index i) const { return softmax_.open_row(i); }
  void merge(Index i, const OpenRow& more) { softmax_.merge(i, more); }
  ClosedRow closed_row(Index i) const { return softmax_.closed_row(i); }
  void set_closed(Index i, const ClosedRow& row) { softmax_.set_closed(i, row); }
  void add_moments(const RinceTerm& other, Index rows) {
    softmax_.add_moments(other.softmax_, rows);
  }

 private:
  /// Of visitors, whose positives and values are elsewhere.
  RinceTerm(Scratch& scratch, Index rows, const RinceTerm& home)
      : settings_(home.settings_),
        log_lambda_(home.log_lambda_),
        upstream_(home.upstream_),
        rows_(nullptr),
        weights_(scratch.take<double>(rows)),
        of_rows_(weights_, rows),
        softmax_(home.softmax_.of_visitors(scratch, rows)) {}

  struct Row {
    double value;
    double positive;  ///< dL/d(nearness of the positive)
    double moment;    ///< the difference from the softmax's moments
  };

  RinceSettings settings_;
  double log_lambda_;
  const Upstream& upstream_;
  Row* rows_;
  double* weights_;   ///< W of each row, times its upstream
  Upstream of_rows_;  ///< the same numbers, in the form that the softmax takes
  OnePositiveSoftmax<S> softmax_;
};

}  // namespace nearfar::detail
