#pragma once

#include <cmath>

#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/terms/log_sum.hpp"

/// \file
/// Mutual information from a critic's scores of joint pairs (the diagonal) and of all others.

namespace nearfar {

/// Which bound on mutual information.
enum class MutualInformationBound { info_nce, nwj, donsker_varadhan, club };

}  // namespace nearfar

namespace nearfar::detail {

/// Statistics of one row of the critic's scores. Nearness: the score, or minus the distance.
template <class S>
struct CriticRow {
  double joint = 0;        ///< critic of the row's joint pair
  LogSum<S> others;        ///< over the other pairs, of nearness / tau
  double sum = 0;          ///< of their nearness
  double temperature = 0;  ///< sum of g_j s_j
};

template <class S, int sign>
class CriticRows {
 public:
  using Row = CriticRow<S>;

  CriticRows(MutualInformationBound bound, double temperature, Index rows)
      : bound_(bound), inverse_(1 / temperature), rows_(rows), count_(static_cast<double>(rows)) {}

  /// What weights have to know of all rows before there are any.
  void know(const Row* rows) { all_others_ = sum_of_others(rows); }

  Row start(Index) const { return {}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const Index at = i - first;
    if (at < 0 || at >= n) {
      observe_others(row, n, s);
      return;
    }
    row.joint = static_cast<double>(critic<S>(s + at));
    observe_others(row, at, s);
    observe_others(row, n - at - 1, s + at + 1);
  }

  void close(Row&, Index) const {}

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    const Index at = i - first;
    if (at < 0 || at >= n) {
      differentiate_others(row, n, s, g);
      return;
    }
    differentiate_others(row, at, s, g);
    const double joint = sign * of_joint(row) * inverse_;
    row.temperature += joint * static_cast<double>(s[at]);
    g[at] = static_cast<S>(joint);
    differentiate_others(row, n - at - 1, s + at + 1, g + at + 1);
  }

  double value(const Row* rows) const {
    if (rows_ == 0) return 0;
    double joint = 0;
    for (Index i = 0; i < rows_; ++i) joint += rows[i].joint / count_;
    switch (bound_) {
      case MutualInformationBound::info_nce: {
        double sum = 0;
        for (Index i = 0; i < rows_; ++i) sum += below_joint(rows[i]);
        return std::log(count_) - sum / count_;
      }
      case MutualInformationBound::nwj:
        return joint - std::exp(std::min(log_mean_others(rows) - 1, 700.0));
      case MutualInformationBound::donsker_varadhan:
        return joint - log_mean_others(rows);
      case MutualInformationBound::club:
        break;
    }
    double sum = 0;
    for (Index i = 0; i < rows_; ++i) sum += rows[i].sum * inverse_ + rows[i].joint;
    return joint - sum / (count_ * count_);
  }

  /// d(value)/dtau = -1/tau sum_ij d(value)/ds_ij s_ij.
  double temperature_gradient(const Row* rows) const {
    double sum = 0;
    for (Index i = 0; i < rows_; ++i) sum += rows[i].temperature;
    return -sum * inverse_;
  }

 private:
  /// Sum over all pairs that are not joint of exp(critic).
  LogSum<double> sum_of_others(const Row* rows) const {
    LogSum<double> all;
    for (Index i = 0; i < rows_; ++i) {
      const double best = static_cast<double>(rows[i].others.best);
      all.raise(best);
      all.sum += rows[i].others.sum * std::exp(best - all.best);
    }
    return all;
  }

  /// log of their mean.
  double log_mean_others(const Row* rows) const {
    return sum_of_others(rows).value() - std::log(count_ * (count_ - 1));
  }

  /// How much nearer the others are than the joint pair, as log-sum-exp minus critic. The best
  /// first: that difference is exact where the numbers are large.
  double ahead(const Row& row) const {
    return (static_cast<double>(row.others.best) - row.joint) + std::log(row.others.sum);
  }

  /// -log softmax of the joint pair in its row.
  double below_joint(const Row& row) const {
    const double z = ahead(row);
    return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
  }

  /// d(value)/d(critic of a joint pair).
  double of_joint(const Row& row) const {
    switch (bound_) {
      case MutualInformationBound::info_nce:
        // The share of the others: 1 - softmax, without the difference.
        return 1 / (1 + std::exp(-ahead(row))) / count_;
      case MutualInformationBound::club:
        return (1 - 1 / count_) / count_;
      case MutualInformationBound::nwj:
      case MutualInformationBound::donsker_varadhan:
        break;
    }
    return 1 / count_;
  }

  template <class T>
  NEARFAR_ALWAYS_INLINE T critic(const S* s) const {
    return load<T>(s) * constant<T>(sign * inverse_);
  }

  void observe_others(Row& row, Index n, const S* s) const {
    if (n <= 0) return;
    const Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>> v(s, n);
    const S nearest = sign > 0 ? v.maxCoeff() : -v.minCoeff();
    row.others.raise(nearest * static_cast<S>(inverse_));
    ElementSum<S> exponentials;
    ElementSum<S> sum;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      using std::exp;
      exponentials += exp(critic<T>(s + j) - spread<T>(row.others.best));
      sum += load<T>(s + j);
    });
    row.others.sum += exponentials.total();
    row.sum += sign * sum.total();
  }

  /// d(value)/d(critic) = -exp(critic - shift), or a constant for club.
  void differentiate_others(Row& row, Index n, const S* s, S* g) const {
    if (n <= 0) return;
    if (bound_ == MutualInformationBound::club) {
      const double each = -inverse_ / (count_ * count_);
      double sum = 0;
      for (Index j = 0; j < n; ++j) sum += sign * static_cast<double>(s[j]);
      row.temperature += each * sum;
      std::fill_n(g, n, static_cast<S>(sign * each));
      return;
    }
    const double factor = -sign * inverse_ * weight_of_best(row);
    ElementSum<S> temperature;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      using std::exp;
      const T out = exp(critic<T>(s + j) - spread<T>(row.others.best)) * constant<T>(factor);
      temperature += out * load<T>(s + j);
      store(g + j, out);
    });
    row.temperature += temperature.total();
  }

  /// -d(value)/d(critic) of a pair as near as the row's nearest; of others it is exp(critic - best)
  /// times that.
  double weight_of_best(const Row& row) const {
    constexpr double most = sizeof(S) == sizeof(float) ? 80 : 700;
    const double best = static_cast<double>(row.others.best);
    switch (bound_) {
      case MutualInformationBound::info_nce:
        // What the joint pair gains, the others lose together.
        return of_joint(row) / row.others.sum;
      case MutualInformationBound::nwj:
        return std::exp(std::min(best - 1, most)) / (count_ * (count_ - 1));
      case MutualInformationBound::donsker_varadhan:
      case MutualInformationBound::club:
        break;
    }
    return std::exp(best - all_others_.best) / all_others_.sum;
  }

  MutualInformationBound bound_;
  double inverse_;
  Index rows_;
  double count_;
  LogSum<double> all_others_;
};

}  // namespace nearfar::detail
