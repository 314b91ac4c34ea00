#pragma once

#include <algorithm>

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/loops/histogram.hpp"

/// \file
/// The term of FastAP: an anchor's average precision, from histograms of its scores.

namespace nearfar::detail {

/// With P_b and N_b the numbers of positives and negatives in bins up to b, and p_b the number of
/// positives in bin b alone,
///
///     L = 1/|P| sum_b p_b N_b / (N_b + P_b)
///
/// This is 1 minus the average precision as a sum of non-negative summands: small losses keep their
/// digits. For a score between bins k and k + 1, at c = (1 - s) bins / 2,
///
///     dL/dc = -1/|P| p_k P_k / (N_k + P_k)^2                              for a negative,
///     dL/dc = 1/|P| (q_{k+1} - q_k + p_k N_k / (N_k + P_k)^2)             for a positive,
///
/// with q = N / (N + P): sums over later bins cancel between neighbours.
/// q = N / (N + P): sums over later bins cancel between neighbours.
template <class S>
class FastApTerm final : public LabelledTerm<S> {
 public:
  FastApTerm(Scratch& scratch, Index rows, Index bins, const PositiveRule<S>& rule,
             const Index* positives, const Upstream& upstream)
      : LabelledTerm<S>(rule),
        bins_(bins),
        positives_(positives),
        upstream_(upstream),
        rows_(scratch.take<Row>(rows)),
        sums_(scratch.take<double>(2 * rows * bins)) {}

  void start(Index i) override {
    rows_[i] = {};
    std::fill_n(of_positives(i), 2 * bins_, 0.0);
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    if (positives_[i] == 0) return;
    const RowPositives<S> positives(this->rule(), i, first, n);
    loops_.add(n, s, positives.mask(), bins_, of_positives(i), of_negatives(i));
    rows_[i].scores += n;
  }

  /// Replaces the sums by derivatives with respect to scores.
  void close(Index i) override {
    if (positives_[i] == 0) return;
    double* positives = of_positives(i);
    double* negatives = of_negatives(i);
    const auto count = static_cast<double>(positives_[i]);
    const double to_score = -row_upstream(upstream_, i) / count * 0.5 * static_cast<double>(bins_);
    double before = 0;  // positives in lower bins
    double value = 0;
    double share = 0;  // q of this bin
    for (Index b = 0; b <= bins_; ++b) {
      const bool last = b == bins_;
      const double p = last ? count : positives[b];
      const double n = last ? static_cast<double>(rows_[i].scores) - count : negatives[b];
      const double all = p + n;
      const double next = all > 0 ? n / all : 0;
      const double own = p - before;
      if (b > 0) positives[b - 1] = to_score * (next - share + positives[b - 1]);
      if (!last) {
        const double slope = all > 0 ? own / all / all : 0;
        positives[b] = slope * n;
        negatives[b] = -to_score * slope * p;
      }
      value += own * next;
      share = next;
      before = p;
    }
    rows_[i].value = value / count;
  }

  double value(Index i) const override { return rows_[i].value; }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    if (positives_[i] == 0) {
      std::fill_n(g, n, S(0));
      return;
    }
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double* of_positive = of_positives(i);
    const double* of_negative = of_negatives(i);
    const S half = static_cast<S>(bins_) / 2;
    for (Index k = 0; k < n; ++k) {
      const Index bin = std::min(static_cast<Index>((1 - s[k]) * half), bins_ - 1);
      g[k] = static_cast<S>((positives[k] ? of_positive : of_negative)[bin]);
    }
  }

 private:
  struct Row {
    double value;
    Index scores;
  };

  /// Numbers of row i, one for each bin but the last, where the sums are the totals.
  double* of_positives(Index i) const { return sums_ + 2 * i * bins_; }
  double* of_negatives(Index i) const { return of_positives(i) + bins_; }

  const HistogramLoops<S>& loops_ = histogram_loops<S>();
  Index bins_;
  const Index* positives_;
  const Upstream& upstream_;
  Row* rows_;
  double* sums_;
};

}  // namespace nearfar::detail
