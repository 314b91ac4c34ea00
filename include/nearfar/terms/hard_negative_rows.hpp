#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"

/// \file
/// Debiased contrastive terms with hard negatives weighted up, as functions of a row's cosines.

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

/// With P = exp(s_p / tau), n negatives, and the mean of exp(s / tau) over negatives taken with
/// weights exp(beta s / tau), R = n mean:
/// G = max((R - n prior P) / (1 - prior), n exp(-1 / tau)), L = -log(P / (P + G)).
template <class S>
class HardNegativeRows {
 public:
  using Row = HardNegativeRow<S>;

  HardNegativeRows(double temperature, double prior, double concentration, const Index* positives,
                   const Upstream& upstream)
      : temperature_(temperature),
        inverse_(1 / temperature),
        prior_(prior),
        concentration_(concentration),
        positives_(positives),
        upstream_(upstream) {}

  Row start(Index) const {
    Row row{};
    row.best = -std::numeric_limits<S>::infinity();
    return row;
  }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    if (!holds_positive(i, first, n)) {
      observe_negatives(row, n, s);
      return;
    }
    const Index at = positives_[i] - first;
    row.positive = s[at];
    observe_negatives(row, at, s);
    observe_negatives(row, n - at - 1, s + at + 1);
  }

  void close(Row& row, Index i) const {
    const double n = static_cast<double>(row.negatives);
    if (row.negatives == 0) return;
    const double log_p = static_cast<double>(row.positive) * inverse_;
    const double log_r =
        static_cast<double>(row.best) * inverse_ + std::log(n * (row.hardened / row.weights));
    // In units of exp(top), so that nothing overflows.
    const double top = std::max({log_p, log_r, -inverse_});
    const double p = std::exp(log_p - top);
    const double r = std::exp(log_r - top);
    const double least = n * std::exp(-inverse_ - top);
    const double debiased = (r - n * prior_ * p) / (1 - prior_);
    const bool floored = !(debiased > least);
    const double g = floored ? least : debiased;
    row.value = p > g ? std::log1p(g / p) : std::log(p + g) - (log_p - top);
    const double above = row_upstream(upstream_, i) * inverse_ / (p + g);
    row.of_positive = -above * (g + (floored ? 0 : n * prior_ / (1 - prior_) * p));
    row.of_negatives = floored ? 0 : above * r / (1 - prior_);
    row.temperature = row.of_positive * static_cast<double>(row.positive);
    // The floor is that of a cosine of -1 everywhere.
    if (floored) row.temperature -= above * g;
  }

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    if (!holds_positive(i, first, n)) {
      differentiate_negatives(row, n, s, g);
      return;
    }
    const Index at = positives_[i] - first;
    differentiate_negatives(row, at, s, g);
    g[at] = static_cast<S>(row.of_positive);
    differentiate_negatives(row, n - at - 1, s + at + 1, g + at + 1);
  }

  /// dL/dtau = -1/tau sum_ij dL/ds_ij s_ij, times `scale`.
  double temperature_gradient(const Row* rows, Index count, double scale) const {
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += rows[i].temperature;
    return -scale * sum / temperature_;
  }

 private:
  bool holds_positive(Index i, Index first, Index n) const {
    return positives_[i] >= first && positives_[i] < first + n;
  }

  template <class T>
  struct Shares {
    T plain;
    T weight;
  };

  /// exp(x / tau) and exp(beta x / tau) for x = s - best.
  template <class T>
  NEARFAR_ALWAYS_INLINE Shares<T> shares(S best, const S* s) const {
    using std::exp;
    const T x = (load<T>(s) - spread<T>(best)) * constant<T>(inverse_);
    return {exp(x), exp(x * constant<T>(concentration_))};
  }

  void observe_negatives(Row& row, Index n, const S* s) const {
    if (n <= 0) return;
    const S best = Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>>(s, n).maxCoeff();
    if (best > row.best) {
      const double fall = (static_cast<double>(row.best) - static_cast<double>(best)) * inverse_;
      row.hardened *= std::exp((1 + concentration_) * fall);
      // 0 * -infinity is not 0: the first stretch has nothing to scale.
      row.weights = row.negatives > 0 ? row.weights * std::exp(concentration_ * fall) : 0;
      row.best = best;
    }
    ElementSum<S> hardened;
    ElementSum<S> weights;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const Shares<T> e = shares<T>(row.best, s + j);
      hardened += e.plain * e.weight;
      weights += e.weight;
    });
    row.hardened += hardened.total();
    row.weights += weights.total();
    row.negatives += n;
  }

  void differentiate_negatives(Row& row, Index n, const S* s, S* g) const {
    if (n <= 0) return;
    const double hardened = row.of_negatives * (1 + concentration_) / row.hardened;
    const double weights = row.of_negatives * concentration_ / row.weights;
    ElementSum<S> temperature;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const Shares<T> e = shares<T>(row.best, s + j);
      const T out = e.weight * (e.plain * constant<T>(hardened) - constant<T>(weights));
      temperature += out * load<T>(s + j);
      store(g + j, out);
    });
    row.temperature += temperature.total();
  }

  double temperature_;
  double inverse_;
  double prior_;
  double concentration_;
  const Index* positives_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
