#pragma once

#include <cmath>

#include "nearfar/core/exponential.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/tiles/shared_exponentials.hpp"

/// \file
/// The term of InfoNCE and its kin: minus the log of a positive's share in a row's softmax.

namespace nearfar {

/// What a positive's exponential is divided by.
enum class Denominator {
  with_positive,  ///< the sum over the positive and all negatives: InfoNCE, NT-Xent
  negatives_only  ///< over the negatives: decoupled contrastive learning (Yeh et al. 2022, eq. 6)
};

}  // namespace nearfar

namespace nearfar::detail {

/// Statistics of one query: a log-sum-exp over its negatives, relative to the best score, and the
/// score of its positive apart, so that neither the loss nor the positive's gradient is a
/// difference of nearly equal numbers when the positive wins.
template <class S>
struct SoftmaxRow {
  S best;              ///< largest nearness (score, or minus distance) in the denominator so far
  S positive;          ///< nearness of the positive
  double others;       ///< sum over negatives of exp((nearness - best) / tau)
  double own;          ///< exp((positive - best) / tau), 0 when not in the denominator
  double value;        ///< the query's loss
  double temperature;  ///< sum of g_j s_j = sum over negatives of g_j (s_j - s_positive)
  std::int64_t negatives;
};

/// Where the positive of each row is.
template <class S>
struct Positives {
  const Index* column = nullptr;  ///< column[i]; column i when null
  const S* paired = nullptr;      ///< not null: outside of the walk, with score paired[i]
};

/// -log softmax of each row's one positive among all its scores, as the walk sees it.
template <class S, int sign>
class SoftmaxRows {
 public:
  using Row = SoftmaxRow<S>;

  SoftmaxRows(double temperature, Denominator denominator, Positives<S> positives,
              const Upstream& upstream)
      : temperature_(temperature),
        inverse_(static_cast<S>(1 / temperature)),
        rate_(exponential_rate<S>(temperature)),
        denominator_(denominator),
        positives_(positives),
        upstream_(upstream) {}

  Row start(Index i) const {
    const S lowest = -std::numeric_limits<S>::infinity();
    Row row{lowest, lowest, 0, 0, 0, 0, 0};
    if (positives_.paired != nullptr) {
      row.positive = S(sign) * positives_.paired[i];
      if (denominator_ == Denominator::with_positive) row.best = row.positive;
    }
    return row;
  }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    if (!holds_positive(i, first, n)) {
      observe_negatives(row, n, s);
      return;
    }
    const Index at = column(i) - first;
    row.positive = S(sign) * s[at];
    observe_negatives(row, at, s);
    observe_negatives(row, n - at - 1, s + at + 1);
  }

  void close(Row& row, Index) const {
    if (denominator_ == Denominator::negatives_only) {
      if (row.negatives > 0) row.value = std::log(row.others) + scaled(row.best - row.positive);
      return;
    }
    if (row.positive > row.best) {
      row.others *= std::exp(scaled(row.best - row.positive));
      row.best = row.positive;
    }
    const double below = scaled(row.positive - row.best);
    row.own = std::exp(below);
    // log(own + others) - log(own), by the form that keeps the digits.
    row.value = row.own > row.others ? std::log1p(row.others / row.own)
                                     : std::log(row.own + row.others) - below;
  }

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    // dL_i/ds_ij = sign / tau * (p_ij - [j is the positive]).
    if (!holds_positive(i, first, n)) {
      differentiate_negatives(row, i, n, s, g);
      return;
    }
    const Index at = column(i) - first;
    differentiate_negatives(row, i, at, s, g);
    g[at] = positive_gradient(row, i);
    differentiate_negatives(row, i, n - at - 1, s + at + 1, g + at + 1);
  }

  // One exponential for either side of a score, see SharedLoss.
  static constexpr bool many_positives = false;
  bool shares_exponentials() const { return sign > 0 && positives_.paired == nullptr; }
  S rate() const { return rate_; }
  Index positive_of(Index i) const { return column(i); }

  void set_positive(Row& row, S s) const {
    row.positive = s;
    --row.negatives;  // fold counts all
  }

  void fold(Row& row, S reference, Rebase<S>& memo, double sum, Index n) const {
    add_exponentials(reference, sum, rate_, memo, row.best, row.others);
    row.negatives += n;
  }

  double factor_of(const Row& row, Index i) const { return weight(row, i); }
  double total_of(const Row& row) const { return row.own + row.others; }
  S reference_of(const Row& row) const { return row.positive; }

  // Scores that become gradients in place, see InPlaceLoss. An exponential is relative to the
  // largest score of all, the positive's included: decoupled losses, whose denominator it is not
  // part of, could lose their negatives by that.
  bool in_place() const { return sign > 0 && denominator_ == Denominator::with_positive; }

  template <class At>
  Row open(Index i, S largest, const At& at) const {
    Row row = start(i);
    row.best = std::max(row.best, largest);
    if (positives_.paired == nullptr) row.positive = at(column(i));
    return row;
  }

  void exponentiate(Row& row, Index i, Index first, Index n, S* s) const {
    if (!holds_positive(i, first, n)) {
      exponentiate_negatives(row, n, s);
      return;
    }
    const Index at = column(i) - first;
    exponentiate_negatives(row, at, s);
    exponentiate_negatives(row, n - at - 1, s + at + 1);
  }

  template <class At>
  void settle(Row& row, Index i, const At& at) const {
    // So far sum over negatives of exp(...) (s_j - best); a row's gradients sum to zero.
    row.temperature -=
        row.others * (static_cast<double>(row.positive) - static_cast<double>(row.best));
    row.temperature *= weight(row, i);
    if (positives_.paired == nullptr) at(column(i)) = static_cast<S>(-row.others);
  }

  S factor(const Row& row, Index i) const { return static_cast<S>(weight(row, i)); }

  /// dL_i/d(score of the positive): minus the negatives' share of the softmax, so that a row's
  /// gradients sum to zero.
  S positive_gradient(const Row& row, Index i) const {
    return static_cast<S>(-weight(row, i) * row.others);
  }

  /// dL/dtau = -1/tau sum_ij dL/ds_ij s_ij, times `scale`.
  double temperature_gradient(const Row* rows, Index count, double scale) const {
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += rows[i].temperature;
    return -scale * sum / temperature_;
  }

 private:
  using Scores = Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>>;

  bool holds_positive(Index i, Index first, Index n) const {
    return positives_.paired == nullptr && column(i) >= first && column(i) < first + n;
  }

  Index column(Index i) const { return positives_.column != nullptr ? positives_.column[i] : i; }

  double scaled(S difference) const {
    return static_cast<double>(difference) * static_cast<double>(inverse_);
  }

  double weight(const Row& row, Index i) const {
    const double total = row.own + row.others;
    if (!(total > 0)) return 0;  // decoupled, without a negative
    return sign * static_cast<double>(inverse_) * row_upstream(upstream_, i) / total;
  }

  void exponentiate_negatives(Row& row, Index n, S* s) const {
    ElementSum<S> others;
    ElementSum<S> moment;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T below = load<T>(s + j) - spread<T>(row.best);
      const T e = exp_scaled(below, rate_);
      store(s + j, e);
      others += e;
      moment += e * below;
    });
    row.others += others.total();
    row.temperature += moment.total();
    row.negatives += n;
  }

  void observe_negatives(Row& row, Index n, const S* s) const {
    if (n <= 0) return;
    const Scores v(s, n);
    const Range<S> range = range_of(s, n);
    const S best = sign > 0 ? range.largest : -range.smallest;
    if (best > row.best) {
      row.others *= std::exp(scaled(row.best - best));
      row.best = best;
    }
    // Differences first, temperature after: digits of large scores are not lost to the quotient.
    row.others += static_cast<double>(((S(sign) * v - row.best) * inverse_).exp().sum());
    row.negatives += n;
  }

  void differentiate_negatives(Row& row, Index i, Index n, const S* s, S* g) const {
    if (n <= 0) return;
    const Scores v(s, n);
    Eigen::Map<Eigen::Array<S, Eigen::Dynamic, 1>> out(g, n);
    out = ((S(sign) * v - row.best) * inverse_).exp() * static_cast<S>(weight(row, i));
    row.temperature += static_cast<double>((out * (v - S(sign) * row.positive)).sum());
  }

  double temperature_;
  S inverse_;
  S rate_;
  Denominator denominator_;
  Positives<S> positives_;
  const Upstream& upstream_;
};

/// Counts of `count` rows.
template <class S>
void count_softmax_rows(const SoftmaxRow<S>* rows, Index count, Diagnostics& d) {
  d.anchors = d.terms = count;
  for (Index i = 0; i < count; ++i) {
    if (rows[i].negatives == 0) ++d.anchors_without_negative;
    if (rows[i].value != 0) ++d.active_terms;
  }
}

/// Counts, value and values from the statistics of `count` rows.
template <class S>
void reduce_softmax_rows(Reduction reduction, const SoftmaxRow<S>* rows, Index count,
                         const Diagnostics& seen, Result& result) {
  result.diagnostics = seen;
  count_softmax_rows(rows, count, result.diagnostics);
  reduce_rows(
      reduction, count, [&](Index i) { return rows[i].value; }, result);
}

}  // namespace nearfar::detail
