#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/hard_negative.hpp"
#include "nearfar/loops/scores.hpp"

/// \file
/// Debiased contrastive terms with weighted negatives, as functions of a row's cosines.

namespace nearfar::detail {

/// Statistics of one view.
template <class S>
struct HardNegativeRow {
  S best;           ///< largest score of a negative so far
  S positive;       ///< score of the positive
  double hardened;  ///< sum over negatives of exp((1 + beta)(s - best) / tau)
  double weights;   ///< sum over negatives of exp(beta (s - best) / tau)
  std::int64_t negatives;
  double value;
  double of_positive;   ///< dL/ds of the positive
  double of_negatives;  ///< dL/d(log of the reweighted sum) / tau
  double temperature;   ///< sum of g_j s_j
};

struct HardNegativeSettings {
  double temperature;
  double prior;
  double concentration;
  const Index* positives;  ///< the column of each row's positive; null: not among the keys
};

/// With P = exp(s_p / tau), n negatives, and the mean of exp(s / tau) over negatives with weights
/// exp(beta s / tau), R = n mean:
/// G = max((R - n prior P) / (1 - prior), n exp(-1 / tau)), L = -log(P / (P + G)).
template <class S>
class HardNegativeTerm final : public RowTerm<S>, public NoNumbersAlong {
 public:
  /// For `rows` rows. The upstream and the positives must outlive the term.
  HardNegativeTerm(Scratch& scratch, Index rows, const HardNegativeSettings& settings,
                   const Upstream& upstream)
      : settings_(settings),
        inverse_(1 / settings.temperature),
        rates_{static_cast<S>(inverse_), static_cast<S>(settings.concentration)},
        upstream_(upstream),
        rows_(scratch.take<HardNegativeRow<S>>(rows)) {}

  const HardNegativeRow<S>& operator[](Index i) const { return rows_[i]; }

  void start(Index i) override {
    rows_[i] = {};
    rows_[i].best = -std::numeric_limits<S>::infinity();
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    HardNegativeRow<S>& row = rows_[i];
    const Index at = place(i, first, n);
    if (at < 0) {
      accumulate_negatives(row, n, s);
      return;
    }
    row.positive = s[at];
    accumulate_negatives(row, at, s);
    accumulate_negatives(row, n - at - 1, s + at + 1);
  }

  void close(Index i) override {
    HardNegativeRow<S>& row = rows_[i];
    const double n = static_cast<double>(row.negatives);
    if (row.negatives == 0) return;
    const double prior = settings_.prior;
    const double log_p = static_cast<double>(row.positive) * inverse_;
    const double log_r =
        static_cast<double>(row.best) * inverse_ + portable::log(n * (row.hardened / row.weights));
    // Relative to exp(top), so that nothing overflows.
    const double top = std::max({log_p, log_r, -inverse_});
    const double p = portable::exp(log_p - top);
    const double r = portable::exp(log_r - top);
    const double least = n * portable::exp(-inverse_ - top);
    const double debiased = (r - n * prior * p) / (1 - prior);
    const bool floored = !(debiased > least);
    const double g = floored ? least : debiased;
    row.value = p > g ? portable::log1p(g / p) : portable::log(p + g) - (log_p - top);
    const double above = upstream_[i] * inverse_ / (p + g);
    row.of_negatives = floored ? 0 : above * r / (1 - prior);
    row.of_positive = floored ? -above * g : -row.of_negatives;
    row.temperature = row.of_positive * static_cast<double>(row.positive);
    // The lower limit is that of cosines of -1.
    if (floored) row.temperature -= above * g;
  }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    HardNegativeRow<S>& row = rows_[i];
    const ClosedRow closed = closed_row(i);
    const auto of_negatives = [&](Index from, Index some) {
      if (some <= 0) return;
      row.temperature +=
          loops_.gradient(some, s + from, closed.best, rates_, closed.factors, g + from);
    };
    const Index at = place(i, first, n);
    if (at < 0) {
      of_negatives(0, n);
      return;
    }
    of_negatives(0, at);
    g[at] = static_cast<S>(row.of_positive);
    of_negatives(at + 1, n - at - 1);
  }

  // As VisitingTerm has them; positives are on the process of their row.

  struct OpenRow {
    S best;
    double hardened;
    double weights;
    std::int64_t negatives;
  };
  struct ClosedRow {
    S best;
    HardNegativeFactors<S> factors;
  };

  HardNegativeTerm of_visitors(Scratch& scratch, Index rows) const {
    HardNegativeTerm out = *this;
    out.settings_.positives = nullptr;
    out.rows_ = scratch.take<HardNegativeRow<S>>(rows);
    out.closed_ = scratch.take<ClosedRow>(rows);
    return out;
  }
  OpenRow open_row(Index i) const {
    const HardNegativeRow<S>& row = rows_[i];
    return {row.best, row.hardened, row.weights, row.negatives};
  }
  void merge(Index i, const OpenRow& more) {
    if (more.negatives == 0) return;
    HardNegativeRow<S>& row = rows_[i];
    raise_best(row, more.best);
    const double below =
        (static_cast<double>(more.best) - static_cast<double>(row.best)) * inverse_;
    row.hardened += more.hardened * portable::exp((1 + settings_.concentration) * below);
    row.weights += more.weights * portable::exp(settings_.concentration * below);
    row.negatives += more.negatives;
  }
  ClosedRow closed_row(Index i) const {
    if (closed_ != nullptr) return closed_[i];
    const HardNegativeRow<S>& row = rows_[i];
    if (row.negatives == 0) return {};
    const double concentration = settings_.concentration;
    const double plain = row.of_negatives / row.hardened;
    return {row.best,
            {static_cast<S>(plain), static_cast<S>(concentration * plain),
             static_cast<S>(concentration * (row.of_negatives / row.weights))}};
  }
  void set_closed(Index i, const ClosedRow& row) {
    rows_[i].temperature = 0;
    closed_[i] = row;
  }
  void add_moments(const HardNegativeTerm& other, Index rows) {
    for (Index i = 0; i < rows; ++i) rows_[0].temperature += other[i].temperature;
  }

 private:
  /// The position of the positive among scores first .. first + n - 1; -1 if it is not there.
  Index place(Index i, Index first, Index n) const {
    if (settings_.positives == nullptr) return -1;
    const Index at = settings_.positives[i] - first;
    return at < n ? at : -1;
  }

  void raise_best(HardNegativeRow<S>& row, S best) const {
    if (!(best > row.best)) return;
    if (row.negatives > 0) {
      const double fall = (static_cast<double>(row.best) - static_cast<double>(best)) * inverse_;
      row.hardened *= portable::exp((1 + settings_.concentration) * fall);
      row.weights *= portable::exp(settings_.concentration * fall);
    }
    row.best = best;
  }

  void accumulate_negatives(HardNegativeRow<S>& row, Index n, const S* s) const {
    if (n <= 0) return;
    raise_best(row, score_loops<S>().range(n, s).largest);
    const HardNegativeSums sums = loops_.sums(n, s, row.best, rates_);
    row.hardened += sums.hardened;
    row.weights += sums.weights;
    row.negatives += n;
  }

  const HardNegativeLoops<S>& loops_ = hard_negative_loops<S>();
  HardNegativeSettings settings_;
  double inverse_;
  HardNegativeRates<S> rates_;
  VisitingUpstream upstream_;
  HardNegativeRow<S>* rows_;
  ClosedRow* closed_ = nullptr;  ///< of visitors
};

}  // namespace nearfar::detail
