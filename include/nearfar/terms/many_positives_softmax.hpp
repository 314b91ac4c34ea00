#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/shared_exponentials.hpp"

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

/// The place of the logarithm: outside of the mean over positives, or inside.
enum class MeanOverPositives { outside_log, inside_log };

template <class S>
class ManyPositivesSoftmax final : public SoftmaxTerm<S> {
 public:
  /// `positives`: how many each anchor has, which is also the sum of their weights unless the rule
  /// has some. Arguments must outlive the term.
  ManyPositivesSoftmax(Scratch& scratch, Index rows, int sign, double temperature,
                       MeanOverPositives mean, const PositiveRule<S>& rule, const Index* positives,
                       const Upstream& upstream)
      : sign_(sign),
        temperature_(temperature),
        rate_(exponential_rate<S>(temperature)),
        mean_(mean),
        rule_(&rule),
        positives_(positives),
        upstream_(upstream),
        rows_(scratch.take<SupConRow<S>>(rows)) {}

  /// Another rule, for the next block of keys.
  void set_rule(const PositiveRule<S>& rule) { rule_ = &rule; }

  const SupConRow<S>& operator[](Index i) const { return rows_[i]; }

  double value(Index i) const override { return rows_[i].value; }

  void start(Index i) override {
    SupConRow<S>& row = rows_[i];
    row = {};
    if (!rule_->weighted()) row.positives = static_cast<double>(positives_[i]);
    row.best = row.best_positive = -std::numeric_limits<S>::infinity();
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    SupConRow<S>& row = rows_[i];
    const RowPositives<S> positives(*rule_, i, first, n);
    const Range<S> range = score_loops<S>().range(n, s);
    raise(row.best, row.all, sign_ > 0 ? range.largest : -range.smallest);
    const PositiveSums<S> sums =
        loops_.sums_with_positives(n, s, sign_, positives.mask(), row.best, rate_);
    row.all += sums.all;
    row.positive_scores += sums.scores;
    if (rule_->weighted()) row.positives += sums.weight;
    if (mean_ == MeanOverPositives::inside_log && sums.weight > 0) {
      raise(row.best_positive, row.among_positives,
            loops_.largest_positive(n, s, sign_, positives.mask()));
      row.among_positives +=
          loops_.positive_sum(n, s, sign_, positives.mask(), row.best_positive, rate_);
    }
  }

  void close(Index i) override {
    SupConRow<S>& row = rows_[i];
    if (row.positives == 0) return;
    if (mean_ == MeanOverPositives::outside_log) {
      const double mean = row.positive_scores / row.positives;
      row.value = std::log(row.all) + (static_cast<double>(row.best) - mean) / temperature_;
    } else {
      row.value = std::log(row.all) - std::log(row.among_positives) +
                  scaled(row.best - row.best_positive) + std::log(row.positives);
    }
  }

  /// dL_i/ds_ij = sign / tau * (p_ij - [j positive] q_ij): q is j's share of the positives'
  /// weights, or of the softmax among positives.
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    SupConRow<S>& row = rows_[i];
    if (row.positives == 0) {
      std::fill_n(g, n, S(0));
      return;
    }
    const RowPositives<S> positives(*rule_, i, first, n);
    const double factor = this->factor(i);
    const bool outside = mean_ == MeanOverPositives::outside_log;
    // Gradients of a row sum to zero, so s may be measured from anywhere: from the best.
    row.temperature +=
        sign_ * loops_.gradient_with_positives(
                    n, s, sign_, positives.mask(), rate_,
                    {row.best, static_cast<S>(factor / row.all), outside,
                     outside ? row.best : row.best_positive,
                     static_cast<S>(factor / (outside ? row.positives : row.among_positives))},
                    g);
  }

  Index positive_of(Index) const override { return no_column; }

  bool in_place() const override { return false; }
  void begin(Index, S, S) override {}
  void exponentiate(Index, Index, Index, S*) override {}
  InPlaceRow<S> finalise(Index) override { return {}; }

  bool shares_exponentials() const override {
    return sign_ > 0 && mean_ == MeanOverPositives::outside_log && rule_->by_labels();
  }
  S rate() const override { return rate_; }
  const S* query_codes() const override { return rule_->codes().query; }
  const S* key_codes() const override { return rule_->codes().key; }
  void set_positive(Index, S) override {}

  void fold(Index first, Index count, S reference, const S* sums, Index) override {
    Rebase<S> memo;
    for (Index k = 0; k < count; ++k) {
      SupConRow<S>& row = rows_[first + k];
      add_exponentials(reference, static_cast<double>(sums[k]), rate_, memo, row.best, row.all);
    }
  }
  void fold_positives(Index first, Index count, const S* scores) override {
    for (Index k = 0; k < count; ++k) {
      rows_[first + k].positive_scores += static_cast<double>(scores[k]);
    }
  }

  SoftmaxNumbers<S> numbers(Index i) const override {
    const SupConRow<S>& row = rows_[i];
    const bool counts = row.positives > 0;
    return {static_cast<double>(row.best), row.all, counts ? factor(i) / row.all : 0.0, row.best,
            counts ? static_cast<S>(factor(i) / row.positives) : S(0)};
  }
  S positive_gradient(Index) const override { return S(0); }
  void add_moment(Index i, double moment) override { rows_[i].temperature += moment; }

 private:
  double scaled(S difference) const { return static_cast<double>(difference) / temperature_; }

  double factor(Index i) const { return sign_ * row_upstream(upstream_, i) / temperature_; }

  /// A new best, if it is one, for a sum of exp((nearness - best) / tau).
  void raise(S& best, double& sum, S candidate) const {
    if (!(candidate > best)) return;
    sum *= std::exp(scaled(best - candidate));
    best = candidate;
  }

  const SoftmaxLoops<S>& loops_ = softmax_loops<S>();
  int sign_;
  double temperature_;
  S rate_;
  MeanOverPositives mean_;
  const PositiveRule<S>* rule_;
  const Index* positives_;
  const Upstream& upstream_;
  SupConRow<S>* rows_;
};

}  // namespace nearfar::detail
