#pragma once

#include "nearfar/core/denominator.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/shared_exponentials.hpp"
#include "nearfar/engine/visiting_rows.hpp"

/// \file
/// The term of InfoNCE and similar losses: the negative logarithm of the softmax of one positive.

namespace nearfar::detail {

/// Statistics of one query: a log-sum-exp over its negatives, relative to the best score, and the
/// score of its positive apart, so that neither the loss nor the positive's gradient is a
/// difference of nearly equal numbers when the positive has most of the softmax.
template <class S>
struct SoftmaxRow {
  S best;              ///< largest nearness (score, or minus distance) in the denominator so far
  S positive;          ///< nearness of the positive
  double others;       ///< sum over negatives of exp((nearness - best) / tau)
  double own;          ///< exp((positive - best) / tau); 0 if not in the denominator
  double value;        ///< the query's loss
  double temperature;  ///< sum of g_j s_j = sum over negatives of g_j (s_j - s_positive)
  std::int64_t negatives;
};

/// A score that replaces a positive's own, and its derivative with respect to that.
template <class S>
struct ChangedScore {
  S score;
  S slope;
};

/// The position of each row's positive.
template <class S>
struct Positives {
  const Index* column = nullptr;  ///< column[i]; column i when null
  const S* paired = nullptr;  ///< not null: the positive is not in the pass, its score is paired[i]
  /// Not null: row i's positive is in the pass, and changed[i] replaces its score.
  const ChangedScore<S>* changed = nullptr;
  bool elsewhere = false;  ///< no row has its positive among the keys
};

/// Settings of OnePositiveSoftmax.
template <class S>
struct OnePositiveSettings {
  int sign;  ///< of nearness: 1 for similarities, -1 for distances
  double temperature;
  Denominator denominator = Denominator::with_positive;
  Positives<S> positives = {};
};

/// -log softmax of each row's one positive among all its scores.
template <class S>
class OnePositiveSoftmax final : public SoftmaxTerm<S> {
 public:
  /// For `rows` rows.
  OnePositiveSoftmax(Scratch& scratch, Index rows, const OnePositiveSettings<S>& settings,
                     const Upstream& upstream)
      : settings_(settings),
        inverse_(static_cast<S>(1 / settings.temperature)),
        rate_(exponential_rate<S>(settings.temperature)),
        upstream_(upstream),
        count_(rows),
        rows_(scratch.take<SoftmaxRow<S>>(rows)) {}

  const SoftmaxRow<S>& operator[](Index i) const { return rows_[i]; }

  double value(Index i) const override { return rows_[i].value; }

  void start(Index i) override {
    const S lowest = -std::numeric_limits<S>::infinity();
    SoftmaxRow<S>& row = rows_[i];
    row = {lowest, lowest, 0, 0, 0, 0, 0};
    if (is_outside()) row.positive = S(settings_.sign) * settings_.positives.paired[i];
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    SoftmaxRow<S>& row = rows_[i];
    around_positive(
        i, first, n, [&](Index from, Index some) { accumulate_negatives(row, some, s + from); },
        [&](Index at) { row.positive = S(settings_.sign) * counted(i, s[at]); });
  }

  void close(Index i) override {
    SoftmaxRow<S>& row = rows_[i];
    if (settings_.denominator == Denominator::negatives_only) {
      if (row.negatives > 0)
        row.value = portable::log(row.others) + scaled(row.best - row.positive);
      return;
    }
    if (row.negatives == 0) row.best = row.positive;
    if (row.positive > row.best) {
      row.others *= portable::exp(scaled(row.best - row.positive));
      row.best = row.positive;
    }
    const double below = scaled(row.positive - row.best);
    row.own = portable::exp(below);
    // log(own + others) - log(own), by the form that keeps the digits.
    row.value = row.own > row.others ? portable::log1p(row.others / row.own)
                                     : portable::log(row.own + row.others) - below;
  }

  /// dL_i/ds_ij = sign / tau * (p_ij - [j is the positive]).
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    SoftmaxRow<S>& row = rows_[i];
    const S factor = static_cast<S>(weight(i));
    around_positive(
        i, first, n,
        [&](Index from, Index some) {
          if (some <= 0) return;
          row.temperature += loops_.gradient(some, s + from, settings_.sign, row.best, rate_,
                                             factor, S(settings_.sign) * row.positive, g + from);
        },
        [&](Index at) { g[at] = positive_gradient(i); });
  }

  // The functions of SoftmaxTerm.

  Index positive_of(Index i) const override {
    return is_outside() || settings_.positives.elsewhere ? no_column : column(i);
  }

  /// An exponential is relative to the largest of all scores, including the positive's. In
  /// decoupled losses the denominator does not contain the positive, and its negatives could
  /// underflow.
  bool in_place() const override {
    return settings_.sign > 0 && settings_.denominator == Denominator::with_positive;
  }

  void begin(Index i, S largest, S positive) override {
    start(i);
    SoftmaxRow<S>& row = rows_[i];
    row.best = std::max(row.best, largest);
    if (!is_outside()) row.positive = counted(i, positive);
  }

  void exponentiate(Index i, Index first, Index n, S* s) override {
    SoftmaxRow<S>& row = rows_[i];
    Index negatives = n;
    if (!is_outside() && column(i) >= first && column(i) < first + n) {
      // Whole vectors: the positive's exponential is 0, and `close` sets its place at the end.
      s[column(i) - first] = left_out<S>;
      --negatives;
    }
    const ExponentialSums<S> sums = loops_.exponentiate(n, s, row.best, rate_);
    row.others += sums.sum;
    row.temperature += sums.moment;
    row.negatives += negatives;
  }

  InPlaceRow<S> finalise(Index i) override {
    SoftmaxRow<S>& row = rows_[i];
    const S best = row.best;  // the exponentials in place are relative to it
    const double others = row.others;
    close(i);
    if (row.negatives == 0) return {S(0), S(0)};
    const double factor =
        weight(i) * (row.best > best ? portable::exp(scaled(best - row.best)) : 1);
    // So far it is the sum over negatives of exp(...) (s_j - best); a row's gradients sum to zero.
    row.temperature -= others * (static_cast<double>(row.positive) - static_cast<double>(best));
    row.temperature *= factor;
    return {static_cast<S>(factor), static_cast<S>(-others * slope(i))};
  }

  bool shares_exponentials() const override { return settings_.sign > 0 && !is_outside(); }
  S rate() const override { return rate_; }

  void set_positive(Index i, S score) override {
    rows_[i].positive = counted(i, score);
    --rows_[i].negatives;  // fold counts all scores
  }
  void leave_out(Index i) override { --rows_[i].negatives; }

  void fold(Index first, Index count, S reference, const S* sums, Index n) override {
    Rebase<S> memo;
    for (Index k = 0; k < count; ++k) {
      SoftmaxRow<S>& row = rows_[first + k];
      add_exponentials(reference, static_cast<double>(sums[k]), rate_, memo, row.best, row.others);
      row.negatives += n;
    }
  }

  SoftmaxNumbers<S> numbers(Index i) const override {
    const SoftmaxRow<S>& row = rows_[i];
    return {static_cast<double>(row.best), row.own + row.others, weight(i), row.positive, S(0)};
  }

  /// Minus the softmax of the negatives together, so that a row's gradients sum to zero; times the
  /// slope of a changed score.
  S positive_gradient(Index i) const override {
    return static_cast<S>(counted_gradient(i) * slope(i));
  }
  /// dL/ds for the score that replaces the positive's, or for the positive's own.
  double counted_gradient(Index i) const { return -weight(i) * rows_[i].others; }

  void add_moment(Index i, double moment) override { rows_[i].temperature += moment; }

  // As VisitingTerm has them.

  struct OpenRow {
    S best;
    S positive;
    double others;
    std::int64_t negatives;
  };
  struct ClosedRow {
    S best;
    S positive;
    double total;
  };

  OnePositiveSoftmax of_visitors(Scratch& scratch, Index rows) const {
    OnePositiveSoftmax out = *this;
    out.settings_.positives = {.elsewhere = true};
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.count_ = rows;
    out.rows_ = scratch.take<SoftmaxRow<S>>(rows);
    return out;
  }
  Index numbers_along() const { return upstream_.numbers(); }
  void give_numbers(Index i, double* to) const { upstream_.give(i, to); }
  void take_numbers(Index i, const double* from) { upstream_.take(i, from); }

  OpenRow open_row(Index i) const {
    const SoftmaxRow<S>& row = rows_[i];
    return {row.best, row.positive, row.others, row.negatives};
  }
  void merge(Index i, const OpenRow& more) {
    SoftmaxRow<S>& row = rows_[i];
    row.positive = std::max(row.positive, more.positive);
    row.negatives += more.negatives;
    if (!(more.others > 0)) return;
    Rebase<S> memo;
    add_exponentials(more.best, more.others, rate_, memo, row.best, row.others);
  }
  ClosedRow closed_row(Index i) const {
    const SoftmaxRow<S>& row = rows_[i];
    return {row.best, row.positive, row.own + row.others};
  }
  void set_closed(Index i, const ClosedRow& row) {
    rows_[i] = {row.best, row.positive, row.total, 0, 0, 0, 0};
  }
  void add_moments(const OnePositiveSoftmax& other, Index rows) {
    for (Index i = 0; i < rows; ++i) rows_[0].temperature += other[i].temperature;
  }

  /// dL/dtau = -1/tau sum_ij dL/ds_ij s_ij, times `scale`.
  double temperature_gradient(double scale) const {
    double sum = 0;
    for (Index i = 0; i < count_; ++i) sum += rows_[i].temperature;
    return -scale * sum / settings_.temperature;
  }

 private:
  bool is_outside() const { return settings_.positives.paired != nullptr; }
  S counted(Index i, S positive) const {
    return settings_.positives.changed != nullptr ? settings_.positives.changed[i].score : positive;
  }
  double slope(Index i) const {
    return settings_.positives.changed != nullptr
               ? static_cast<double>(settings_.positives.changed[i].slope)
               : 1;
  }
  Index column(Index i) const {
    return settings_.positives.column != nullptr ? settings_.positives.column[i] : i;
  }

  /// Calls others(from, some) for the negatives among n scores, own(at) for the positive.
  template <class Others, class Own>
  void around_positive(Index i, Index first, Index n, const Others& others, const Own& own) const {
    const Index at = is_outside() || settings_.positives.elsewhere ? -1 : column(i) - first;
    if (at < 0 || at >= n) {
      others(Index(0), n);
      return;
    }
    own(at);
    others(Index(0), at);
    others(at + 1, n - at - 1);
  }

  double scaled(S difference) const {
    return static_cast<double>(difference) * static_cast<double>(inverse_);
  }

  double weight(Index i) const {
    const double total = rows_[i].own + rows_[i].others;
    if (!(total > 0)) return 0;  // a decoupled loss without a negative
    return settings_.sign * static_cast<double>(inverse_) * upstream_[i] / total;
  }

  void accumulate_negatives(SoftmaxRow<S>& row, Index n, const S* s) const {
    if (n <= 0) return;
    const Range<S> range = score_loops<S>().range(n, s);
    const S best = settings_.sign > 0 ? range.largest : -range.smallest;
    if (best > row.best) {
      row.others *= portable::exp(scaled(row.best - best));
      row.best = best;
    }
    row.others += loops_.exponential_sum(n, s, settings_.sign, row.best, rate_);
    row.negatives += n;
  }

  const SoftmaxLoops<S>& loops_ = softmax_loops<S>();
  OnePositiveSettings<S> settings_;
  S inverse_;
  S rate_;
  VisitingUpstream upstream_;
  Index count_;
  SoftmaxRow<S>* rows_;
};

}  // namespace nearfar::detail
