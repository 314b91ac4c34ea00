#pragma once

#include <cmath>

#include "nearfar/core/exponential.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/tiles/relation.hpp"
#include "nearfar/tiles/shared_exponentials.hpp"

/// \file
/// The term of supervised contrastive losses: any number of positives a row, weighted or not.

namespace nearfar::detail {

/// Statistics of one anchor.
template <class S>
struct SupConRow {
  S best;                  ///< largest nearness so far
  S best_positive;         ///< the same among positives
  double all;              ///< sum over all others of exp((nearness - best) / tau)
  double among_positives;  ///< the same among positives, for the mean inside of the logarithm
  double positive_scores;  ///< weighted sum of the positives' nearness
  double positives;        ///< sum of the positives' weights: their number, where there are none
  double value;
  double temperature;  ///< sum of g_j s_j
};

/// Where the logarithm stands: outside of the mean over positives, or inside.
enum class MeanOverPositives { outside_log, inside_log };

template <class S, int sign>
class SupConRows {
 public:
  using Row = SupConRow<S>;

  /// `positives`: how many each anchor has, which is also the sum of their weights unless the
  /// relation has some.
  SupConRows(double temperature, MeanOverPositives mean, const Relation<S>& relation,
             const Index* positives, const Upstream& upstream)
      : temperature_(temperature),
        rate_(exponential_rate<S>(temperature)),
        mean_(mean),
        relation_(relation),
        positives_(positives),
        upstream_(upstream) {}

  Row start(Index i) const {
    Row row{};
    if (!relation_.weighted()) row.positives = static_cast<double>(positives_[i]);
    row.best = row.best_positive = -std::numeric_limits<S>::infinity();
    return row;
  }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const Range<S> range = range_of(s, n);
    const RowCodes<S> codes(relation_, i, first, n);
    raise(row.best, row.all, sign > 0 ? range.largest : -range.smallest);
    ElementSum<S> all;
    ElementSum<S> scores;
    ElementSum<S> count;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T near = nearness<T>(s + j);
      all += exp_from<T>(row.best, near);
      const T weight = codes.template weight<T>(j);
      scores += codes.if_positive(j, near * weight, constant<T>(0));
      count += codes.if_positive(j, weight, constant<T>(0));
    });
    row.all += all.total();
    row.positive_scores += scores.total();
    if (relation_.weighted()) row.positives += count.total();
    if (mean_ == MeanOverPositives::inside_log && count.total() > 0) {
      observe_among_positives(row, codes, n, s);
    }
  }

  void close(Row& row, Index) const {
    if (row.positives == 0) return;
    if (mean_ == MeanOverPositives::outside_log) {
      const double mean = row.positive_scores / row.positives;
      row.value = std::log(row.all) + (static_cast<double>(row.best) - mean) / temperature_;
    } else {
      row.value = std::log(row.all) - std::log(row.among_positives) +
                  scaled(row.best - row.best_positive) + std::log(row.positives);
    }
  }

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    if (row.positives == 0) {
      std::fill(g, g + n, S(0));
      return;
    }
    const RowCodes<S> codes(relation_, i, first, n);
    // dL_i/ds_ij = sign / tau * (p_ij - [j positive] q_ij): q is j's share of the positives'
    // weights, or of the softmax among positives.
    const double factor = sign * row_upstream(upstream_, i) / temperature_;
    const S of_all = static_cast<S>(factor / row.all);
    const bool outside = mean_ == MeanOverPositives::outside_log;
    const S of_positives =
        static_cast<S>(outside ? factor / row.positives : factor / row.among_positives);
    ElementSum<S> temperature;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T near = nearness<T>(s + j);
      const T zero = constant<T>(0);
      const T share = outside
                          ? spread<T>(of_positives)
                          : exp_from<T>(row.best_positive,
                                        codes.if_positive(j, near, spread<T>(row.best_positive))) *
                                spread<T>(of_positives);
      const T out = exp_from<T>(row.best, near) * spread<T>(of_all) -
                    codes.if_positive(j, share * codes.template weight<T>(j), zero);
      // Gradients of a row sum to zero, so s may be measured from anywhere: from the best.
      temperature += out * (near - spread<T>(row.best));
      store(g + j, out);
    });
    row.temperature += sign * temperature.total();
  }

  // One exponential for either side of a score, see SharedLoss.
  static constexpr bool many_positives = true;
  bool shares_exponentials() const {
    return sign > 0 && mean_ == MeanOverPositives::outside_log && relation_.by_labels();
  }
  S rate() const { return rate_; }
  const S* key_codes() const { return relation_.codes().key; }
  S query_code(Index i) const { return relation_.codes().query[i]; }

  void fold(Row& row, S reference, Rebase<S>& memo, double sum, Index) const {
    add_exponentials(reference, sum, rate_, memo, row.best, row.all);
  }
  void fold_positives(Row& row, double scores) const { row.positive_scores += scores; }

  double factor_of(const Row& row, Index i) const {
    return row.positives > 0 ? sign * row_upstream(upstream_, i) / (temperature_ * row.all) : 0.0;
  }
  double total_of(const Row& row) const { return row.all; }
  S reference_of(const Row& row) const { return row.best; }
  /// A positive's share of the anchor's mean over positives.
  S positive_share(const Row& row, Index i) const {
    return row.positives > 0
               ? static_cast<S>(sign * row_upstream(upstream_, i) / (temperature_ * row.positives))
               : S(0);
  }

  /// dL/dtau = -1/tau sum_ij dL/ds_ij s_ij, times `scale`.
  double temperature_gradient(const Row* rows, Index count, double scale) const {
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += rows[i].temperature;
    return -scale * sum / temperature_;
  }

 private:
  double scaled(S difference) const { return static_cast<double>(difference) / temperature_; }

  template <class T>
  NEARFAR_ALWAYS_INLINE static T nearness(const S* s) {
    return sign > 0 ? load<T>(s) : constant<T>(0) - load<T>(s);
  }

  template <class T>
  NEARFAR_ALWAYS_INLINE T exp_from(S best, T near) const {
    return exp_scaled(near - spread<T>(best), rate_);
  }

  /// A new best, if it is one, for a sum of exp((nearness - best) / tau).
  void raise(S& best, double& sum, S candidate) const {
    if (!(candidate > best)) return;
    sum *= std::exp(scaled(best - candidate));
    best = candidate;
  }

  void observe_among_positives(Row& row, const RowCodes<S>& codes, Index n, const S* s) const {
    const S lowest = std::numeric_limits<S>::lowest();
    Vec<S> lane_best = Vec<S>::broadcast(lowest);
    S rest_best = lowest;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T near = codes.if_positive(j, nearness<T>(s + j), spread<T>(lowest));
      if constexpr (std::is_same_v<T, S>) {
        rest_best = std::max(rest_best, near);
      } else {
        lane_best = max(lane_best, near);
      }
    });
    raise(row.best_positive, row.among_positives, std::max(rest_best, lane_best.largest()));
    ElementSum<S> among;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T best = spread<T>(row.best_positive);
      const T e = exp_from<T>(row.best_positive, codes.if_positive(j, nearness<T>(s + j), best));
      among += codes.if_positive(j, e * codes.template weight<T>(j), constant<T>(0));
    });
    row.among_positives += among.total();
  }

  double temperature_;
  S rate_;
  MeanOverPositives mean_;
  const Relation<S>& relation_;
  const Index* positives_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
