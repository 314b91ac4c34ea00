#pragma once

#include <cstdint>
#include <limits>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/shared_exponentials.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/softmax.hpp"

/// \file
/// The log-sum-exp of a row of scores, for losses whose positives are not in the sum.

namespace nearfar::detail {

/// Statistics of one row.
template <class S>
struct LogSumExpRow {
  S best;              ///< largest nearness so far, or more, where exponentials are shared
  double sum;          ///< of exp((nearness - best) / tau)
  std::int64_t count;  ///< of scores
  S origin;            ///< tau times the logarithm of the mean exponential: near the mean score
  double moment;       ///< sum of g_j (nearness_j - origin)
};

/// log sum_j exp(nearness_ij / tau). `left_out` may name one column of each row that the sum omits.
/// Two rows leave out each other, or neither does.
template <class S>
class LogSumExpTerm final : public SoftmaxTerm<S> {
 public:
  /// For `rows` rows. The upstream must outlive the term.
  LogSumExpTerm(Scratch& scratch, Index rows, int sign, double temperature,
                const Upstream& upstream, const Index* left_out = nullptr)
      : sign_(sign),
        temperature_(temperature),
        rate_(exponential_rate<S>(temperature)),
        upstream_(upstream),
        left_out_(left_out),
        rows_(scratch.take<LogSumExpRow<S>>(rows)) {}

  /// Whether row i has any score.
  bool any(Index i) const { return rows_[i].sum > 0; }
  /// The row's log-sum-exp less nearness / tau.
  double less(Index i, double nearness) const {
    return portable::log(rows_[i].sum) +
           (static_cast<double>(rows_[i].best) - nearness) / temperature_;
  }
  /// sum_j dL/ds_ij s_ij.
  double temperature(Index i) const {
    const LogSumExpRow<S>& row = rows_[i];
    if (!any(i)) return 0;
    return row.moment + upstream_[i] / temperature_ * static_cast<double>(row.origin);
  }

  void start(Index i) override { rows_[i] = {-std::numeric_limits<S>::infinity(), 0, 0, 0, 0}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    LogSumExpRow<S>& row = rows_[i];
    each_part(i, first, n, [&](Index from, Index some) {
      const Range<S> range = score_loops<S>().range(some, s + from);
      raise_best(row, sign_ > 0 ? range.largest : -range.smallest);
      row.count += some;
      row.sum += loops_.exponential_sum(some, s + from, sign_, row.best, rate_);
    });
  }

  void close(Index i) override {
    LogSumExpRow<S>& row = rows_[i];
    if (!any(i)) return;
    const double mean = row.sum / static_cast<double>(row.count);
    row.origin = static_cast<S>(static_cast<double>(row.best) + temperature_ * portable::log(mean));
  }

  /// dL_i/ds_ij = sign / tau times the softmax of j.
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    LogSumExpRow<S>& row = rows_[i];
    const Index at = place(i, first, n);
    if (at >= 0) g[at] = 0;
    each_part(i, first, n, [&](Index from, Index some) {
      row.moment += loops_.gradient(some, s + from, sign_, row.best, rate_,
                                    static_cast<S>(factor(i)), S(sign_) * row.origin, g + from);
    });
  }

  // The functions of SoftmaxTerm.

  Index positive_of(Index i) const override {
    return left_out_ != nullptr ? left_out_[i] : no_column;
  }

  bool shares_exponentials() const override { return sign_ > 0; }
  S rate() const override { return rate_; }
  void set_positive(Index i, S) override { --rows_[i].count; }  // fold counts all scores
  void leave_out(Index i) override { --rows_[i].count; }
  void fold(Index first, Index count, S reference, const S* sums, Index n) override {
    Rebase<S> memo;
    for (Index k = 0; k < count; ++k) {
      LogSumExpRow<S>& row = rows_[first + k];
      add_exponentials(reference, static_cast<double>(sums[k]), rate_, memo, row.best, row.sum);
      row.count += n;
    }
  }
  SoftmaxNumbers<S> numbers(Index i) const override {
    const LogSumExpRow<S>& row = rows_[i];
    return {static_cast<double>(row.best), row.sum, factor(i), row.origin, S(0)};
  }
  S positive_gradient(Index) const override { return 0; }
  void add_moment(Index i, double moment) override { rows_[i].moment += moment; }

  // As VisitingTerm has them.

  struct OpenRow {
    S best;
    double sum;
    std::int64_t count;
  };
  struct ClosedRow {
    S best;
    S origin;
    double sum;
  };

  LogSumExpTerm of_visitors(Scratch& scratch, Index rows) const {
    LogSumExpTerm out = *this;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.left_out_ = nullptr;
    out.rows_ = scratch.take<LogSumExpRow<S>>(rows);
    return out;
  }
  Index numbers_along() const { return upstream_.numbers(); }
  void give_numbers(Index i, double* to) const { upstream_.give(i, to); }
  void take_numbers(Index i, const double* from) { upstream_.take(i, from); }
  OpenRow open_row(Index i) const { return {rows_[i].best, rows_[i].sum, rows_[i].count}; }
  void merge(Index i, const OpenRow& more) {
    if (!(more.sum > 0)) return;
    LogSumExpRow<S>& row = rows_[i];
    raise_best(row, more.best);
    row.sum += more.sum * portable::exp(scaled(more.best, row.best));
    row.count += more.count;
  }
  ClosedRow closed_row(Index i) const { return {rows_[i].best, rows_[i].origin, rows_[i].sum}; }
  void set_closed(Index i, const ClosedRow& row) {
    rows_[i] = {row.best, row.sum, 0, row.origin, 0};
  }
  void add_moments(const LogSumExpTerm& other, Index rows) {
    for (Index i = 0; i < rows; ++i) rows_[0].moment += other.rows_[i].moment;
  }

 private:
  double scaled(S a, S b) const {
    return (static_cast<double>(a) - static_cast<double>(b)) / temperature_;
  }
  void raise_best(LogSumExpRow<S>& row, S best) const {
    if (!(best > row.best)) return;
    row.sum *= portable::exp(scaled(row.best, best));
    row.best = best;
  }
  double factor(Index i) const {
    if (!any(i)) return 0;
    return sign_ * upstream_[i] / temperature_ / rows_[i].sum;
  }

  /// The position of the omitted column among scores first .. first + n - 1; -1 for none.
  Index place(Index i, Index first, Index n) const {
    if (left_out_ == nullptr) return -1;
    const Index at = left_out_[i] - first;
    return at >= 0 && at < n ? at : -1;
  }

  /// Calls body(from, some) for the runs of all others.
  template <class Body>
  void each_part(Index i, Index first, Index n, const Body& body) const {
    const Index at = place(i, first, n);
    if (at < 0) {
      body(Index(0), n);
      return;
    }
    if (at > 0) body(Index(0), at);
    if (at + 1 < n) body(at + 1, n - at - 1);
  }

  const SoftmaxLoops<S>& loops_ = softmax_loops<S>();
  int sign_;
  double temperature_;
  S rate_;
  VisitingUpstream upstream_;
  const Index* left_out_;
  LogSumExpRow<S>* rows_;
};

}  // namespace nearfar::detail
