#pragma once

#include <cmath>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/shared_exponentials.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/lifted.hpp"

/// \file
/// The term of supervised contrastive losses: any number of positives a row, with or without
/// weights.

namespace nearfar::detail {

/// Statistics of one anchor. A loss is near zero only if one positive is the nearest key and has
/// (nearly) all of the weight. Its exponential, `own`, is kept apart from the sum of all others, so
/// that neither the loss nor its gradient is a difference of nearly equal numbers. That positive is
/// the only one, or the heaviest. If several have the same weight none is kept apart: the loss is
/// then at least log 2.
template <class S>
struct SupConRow {
  S best;                  ///< largest nearness so far
  S best_positive;         ///< largest nearness of a positive so far
  double others;           ///< sum of exp((nearness - best) / tau) without `own`
  double own;              ///< exp((nearness - best) / tau) of the positive kept apart, or 0
  double positive_scores;  ///< sum of the positives' nearness, or that of the one kept apart
  double among_positives;  ///< weighted sum of the positives' exp((nearness - best_positive) / tau)
  double value;
  double temperature;  ///< sum of g_j s_j
};

/// Further statistics if positives have weights, in units of the largest weight.
struct LighterPositives {
  double weight;  ///< sum of the weights of all positives but the heaviest so far
  double behind;  ///< weighted sum of best - nearness over them
  double lost;  ///< sum over all keys of (1 - weight) exp((nearness - best) / tau); negatives have
                ///< weight 0
};

/// The place of the mean over positives: outside of the logarithm, inside of it, or a sum inside of
/// it.
enum class MeanOverPositives { outside_log, inside_log, sum_inside_log };

template <class S>
class ManyPositivesSoftmax final : public SoftmaxTerm<S> {
 public:
  /// `positives`: the number of each anchor's positives. Arguments must outlive the term.
  ManyPositivesSoftmax(Scratch& scratch, Index rows, int sign, double temperature,
                       MeanOverPositives mean, const PositiveRule<S>& rule, const Index* positives,
                       const Upstream& upstream)
      : sign_(sign),
        temperature_(temperature),
        rate_(exponential_rate<S>(temperature)),
        outside_(mean == MeanOverPositives::outside_log),
        sum_inside_(mean == MeanOverPositives::sum_inside_log),
        rule_(&rule),
        positives_(positives),
        upstream_(upstream),
        rows_(scratch.take<SupConRow<S>>(rows)) {
    if (rule.weighted()) lighter_ = scratch.take<LighterPositives>(rows);
    const bool same_labels = rule.is_of_one_set() || rule.is_of_pairs();
    if (sign > 0 && outside_ && rule.by_labels() && same_labels) share(scratch, rows);
  }

  /// Sets the rule of the next block of keys.
  void set_rule(const PositiveRule<S>& rule) { rule_ = &rule; }

  /// For that block of `keys` keys of the rule, exponentials serve both sides of a score, if labels
  /// tell the positives. The memory is to last as long as the block's passes.
  void share_block(Scratch& scratch, Index rows, Index keys) {
    if (sign_ < 0 || !outside_ || !rule_->by_labels()) return;
    take_codes(scratch, rows);
    struct Members {
      Index first = no_column;
      Index second = no_column;
    };
    auto* members = scratch.take<Members>(keys + 1);  // one class number is that of no key
    std::fill_n(members, keys + 1, Members());
    const auto members_of = [&](S code) -> Members& { return members[class_number(code)]; };
    for (Index j = 0; j < keys; ++j) {
      Members& some = members_of(rule_->codes().key[j]);
      some.second = some.first;
      some.first = j;
    }
    for (Index i = 0; i < rows; ++i) {
      if (positives_[i] != 1) continue;
      const Members& some = members_of(tile_codes_[i]);
      const bool itself = rule_->is_of_one_set() && some.first == i;
      partners_[i] = itself ? some.second : some.first;
      tile_codes_[i] = class_code<S>(keys);
    }
  }

  const SupConRow<S>& operator[](Index i) const { return rows_[i]; }

  double value(Index i) const override { return rows_[i].value; }

  void start(Index i) override {
    rows_[i] = {};
    rows_[i].best = rows_[i].best_positive = -std::numeric_limits<S>::infinity();
    if (lighter_ != nullptr) lighter_[i] = {};
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    SupConRow<S>& row = rows_[i];
    const RowPositives<S> positives(*rule_, i, first, n);
    const Range<S> range = score_loops<S>().range(n, s);
    raise_best(i, sign_ > 0 ? range.largest : -range.smallest);
    const PositiveSums<S> sums =
        loops_.sums_with_positives(n, s, sign_, positives.mask(), row.best, rate_);
    double negatives = sums.negatives;
    if (negatives < least_sum && (positives_[i] == 1 || rule_->weighted() || sum_inside_)) {
      negatives = far_sum(row, positives.mask(), n, s);
    }
    row.others += negatives;
    if (rule_->weighted()) {
      lighter_[i].lost += negatives;
      accumulate_weighted(i, first, n, s);
    } else if (outside_) {
      if (positives_[i] != 1) row.others += sums.positives;
      row.positive_scores += sums.scores;
    } else {
      const S nearest = loops_.largest_positive(n, s, sign_, positives.mask());
      if (!(nearest > std::numeric_limits<S>::lowest())) return;  // no positives
      raise_best_positive(row, nearest);
      row.among_positives +=
          loops_.positive_sum(n, s, sign_, positives.mask(), row.best_positive, rate_);
    }
  }

  void close(Index i) override {
    SupConRow<S>& row = rows_[i];
    if (positives_[i] == 0) return;
    if (rule_->weighted()) {
      close_weighted(i);
      return;
    }
    const auto count = static_cast<double>(positives_[i]);
    if (!outside_) {
      const double below = scaled(row.best - row.best_positive);
      row.own = row.among_positives * portable::exp(-below);
      row.value = log_of_total(row, row.among_positives, below);
      if (!sum_inside_) row.value += portable::log(count);
    } else if (positives_[i] == 1) {
      set_own(row);
      row.value = log_of_total(row, 1, below_best(row));
    } else {
      row.value = portable::log(row.others) + below_best(row, row.positive_scores / count);
    }
  }

  /// dL_i/ds_ij = sign / tau * (p_ij - [j positive] q_ij), where q is j's share of the positives'
  /// weights, or its softmax among positives.
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    SupConRow<S>& row = rows_[i];
    if (positives_[i] == 0) {
      std::fill_n(g, n, S(0));
      return;
    }
    const RowPositives<S> positives(*rule_, i, first, n);
    row.temperature +=
        sign_ * loops_.gradient_with_positives(n, s, sign_, positives.mask(), rate_, shares(i), g);
    if (rule_->weighted()) weigh_positives(i, first, n, s, g);
  }

  /// The positive of a row that has one, if exponentials are shared.
  Index positive_of(Index i) const override {
    return partners_ != nullptr ? partners_[i] : no_column;
  }

  bool shares_exponentials() const override { return partners_ != nullptr; }
  S rate() const override { return rate_; }
  const S* query_codes() const override { return tile_codes_; }
  const S* key_codes() const override { return rule_->codes().key; }
  void set_positive(Index i, S score) override {
    rows_[i].positive_scores = static_cast<double>(score);
  }
  void leave_out(Index) override {}

  void fold(Index first, Index count, S reference, const S* sums, Index) override {
    Rebase<S> memo;
    for (Index k = 0; k < count; ++k) {
      SupConRow<S>& row = rows_[first + k];
      add_exponentials(reference, static_cast<double>(sums[k]), rate_, memo, row.best, row.others);
    }
  }
  void fold_positives(Index first, Index count, const S* scores) override {
    for (Index k = 0; k < count; ++k) {
      rows_[first + k].positive_scores += static_cast<double>(scores[k]);
    }
  }

  SoftmaxNumbers<S> numbers(Index i) const override {
    const SupConRow<S>& row = rows_[i];
    const double total = row.own + row.others;
    if (positives_[i] == 0) return {static_cast<double>(row.best), total, 0, row.best, S(0)};
    const SoftmaxShares<S> shares = this->shares(i);
    return {static_cast<double>(row.best), total, factor(i) / total, shares.from,
            positives_[i] == 1 ? S(0) : shares.share};
  }
  S positive_gradient(Index i) const override { return -shares(i).share; }
  void add_moment(Index i, double moment) override { rows_[i].temperature += moment; }

  // As VisitingTerm has them; for positives without weights.

  struct OpenRow {
    S best;
    S best_positive;
    double others;
    double positive_scores;
    double among_positives;
  };
  struct ClosedRow {
    S best;
    S best_positive;
    double others;
    double own;
    double positive_scores;
    double among_positives;
  };

  ManyPositivesSoftmax of_visitors(Scratch& scratch, Index rows) const {
    ManyPositivesSoftmax out = *this;
    out.counts_ = scratch.take<Index>(rows);
    out.positives_ = out.counts_;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.rows_ = scratch.take<SupConRow<S>>(rows);
    return out;
  }
  Index numbers_along() const { return 1 + upstream_.numbers(); }
  void give_numbers(Index i, double* to) const {
    to[0] = static_cast<double>(positives_[i]);
    upstream_.give(i, to + 1);
  }
  void take_numbers(Index i, const double* from) {
    counts_[i] = static_cast<Index>(from[0]);
    upstream_.take(i, from + 1);
  }

  OpenRow open_row(Index i) const {
    const SupConRow<S>& row = rows_[i];
    return {row.best, row.best_positive, row.others, row.positive_scores, row.among_positives};
  }
  void merge(Index i, const OpenRow& more) {
    SupConRow<S>& row = rows_[i];
    raise_best(i, more.best);
    if (more.others > 0) row.others += more.others * portable::exp(scaled(more.best - row.best));
    row.positive_scores += more.positive_scores;
    if (!(more.among_positives > 0)) return;
    raise_best_positive(row, more.best_positive);
    row.among_positives +=
        more.among_positives * portable::exp(scaled(more.best_positive - row.best_positive));
  }
  ClosedRow closed_row(Index i) const {
    const SupConRow<S>& row = rows_[i];
    return {row.best, row.best_positive,   row.others,
            row.own,  row.positive_scores, row.among_positives};
  }
  void set_closed(Index i, const ClosedRow& row) {
    rows_[i] = {row.best,
                row.best_positive,
                row.others,
                row.own,
                row.positive_scores,
                row.among_positives,
                0,
                0};
  }
  void add_moments(const ManyPositivesSoftmax& other, Index rows) {
    for (Index i = 0; i < rows; ++i) rows_[0].temperature += other[i].temperature;
  }

 private:
  /// Sums below this may lack exponentials that underflow in S.
  static constexpr double least_sum = sizeof(S) == sizeof(float) ? 1e-28 : 1e-290;

  /// The sum of negatives' exponentials if all are far below the best, which is a positive:
  /// relative to the nearest negative they do not underflow.
  double far_sum(const SupConRow<S>& row, const PositiveMask<S>& mask, Index n, const S* s) const {
    const S nearest = lifted_loops<S>().largest_negative(n, s, sign_, mask);
    if (std::isinf(nearest)) return 0;  // no negatives
    return loops_.sums_with_positives(n, s, sign_, mask, nearest, rate_).negatives *
           portable::exp(-below_best(row, static_cast<double>(nearest)));
  }

  double scaled(S difference) const { return static_cast<double>(difference) / temperature_; }

  double factor(Index i) const { return sign_ * upstream_[i] / temperature_; }

  /// The distance of a nearness from the best, in units of the temperature.
  double below_best(const SupConRow<S>& row, double nearness) const {
    return (static_cast<double>(row.best) - nearness) / temperature_;
  }
  double below_best(const SupConRow<S>& row) const { return below_best(row, row.positive_scores); }

  void set_own(SupConRow<S>& row) const { row.own = portable::exp(-below_best(row)); }

  /// log((own + others) / own), in the form that keeps the digits. own is also given as
  /// sum * exp(-below), because it may underflow.
  static double log_of_total(const SupConRow<S>& row, double sum, double below) {
    return row.own > row.others ? portable::log1p(row.others / row.own)
                                : portable::log(row.own + row.others) - portable::log(sum) + below;
  }

  /// Raises the best to `candidate` if that is larger, and rescales the sums.
  void raise_best(Index i, S candidate) const {
    SupConRow<S>& row = rows_[i];
    if (!(candidate > row.best)) return;
    const double rise = static_cast<double>(candidate) - static_cast<double>(row.best);
    const double fall = portable::exp(-rise / temperature_);
    row.others *= fall;
    if (lighter_ != nullptr) {
      lighter_[i].lost *= fall;
      // 0 * infinity is not 0: before the first keys there is nothing to rescale.
      if (lighter_[i].weight > 0) lighter_[i].behind += lighter_[i].weight * rise;
    }
    row.best = candidate;
  }
  void raise_best_positive(SupConRow<S>& row, S candidate) const {
    if (!(candidate > row.best_positive)) return;
    row.among_positives *= portable::exp(scaled(row.best_positive - candidate));
    row.best_positive = candidate;
  }

  /// The arguments of the vector code for a row's gradient; not for weighted positives.
  SoftmaxShares<S> shares(Index i) const {
    const SupConRow<S>& row = rows_[i];
    const double factor = this->factor(i);
    const double total = row.own + row.others;
    const S of_negatives = static_cast<S>(factor / total);
    if (rule_->weighted()) return {row.best, row.best, of_negatives, S(0), S(0), row.best};
    if (!outside_) {
      const double of_positives = -factor * (row.others / total) / row.among_positives;
      return {row.best, row.best_positive, of_negatives, static_cast<S>(of_positives),
              S(0),     row.best};
    }
    // A row's gradients sum to zero: minus the only positive's is the sum of all others.
    if (positives_[i] == 1) {
      return {row.best,
              row.best,
              of_negatives,
              S(0),
              static_cast<S>(factor * (row.others / total)),
              static_cast<S>(row.positive_scores)};
    }
    // A row's gradients sum to zero, so moments may be relative to any score. Near the scores with
    // most of the weight the fewest digits are lost.
    const auto count = static_cast<double>(positives_[i]);
    return {row.best,
            row.best,
            of_negatives,
            of_negatives,
            static_cast<S>(factor / count),
            static_cast<S>(row.positive_scores / count)};
  }

  // ---- weights: listed positives, one by one ---------------------------------------------------

  void accumulate_weighted(Index i, Index first, Index n, const S* s) const {
    SupConRow<S>& row = rows_[i];
    LighterPositives& lighter = lighter_[i];
    rule_->each_weighted(i, first, n, [&](Index k, double weight, bool heaviest) {
      const S near = S(sign_) * s[k];
      if (weight > 0) {
        raise_best_positive(row, near);
        row.among_positives += weight * portable::exp(-scaled(row.best_positive - near));
      }
      if (heaviest) {
        row.positive_scores = static_cast<double>(near);
        return;
      }
      const double below = below_best(row, static_cast<double>(near));
      const double e = portable::exp(-below);
      row.others += e;
      lighter.weight += weight;
      lighter.behind += weight * below * temperature_;
      lighter.lost += (1 - weight) * e;
    });
  }

  void close_weighted(Index i) const {
    SupConRow<S>& row = rows_[i];
    const double rest = rule_->weights(i).rest;
    set_own(row);
    if (outside_) {
      const double ahead = lighter_[i].behind / temperature_ - rest * below_best(row);
      row.value = log_of_total(row, 1, below_best(row)) + ahead / (1 + rest);
      return;
    }
    // The softmax in proportion to all weights: (W total) / sum of w e, W = 1 + rest.
    const double below = scaled(row.best - row.best_positive);
    const double among = row.among_positives * portable::exp(-below);
    const double missing = rest * (row.own + row.others) + lighter_[i].lost;
    row.value = among > missing ? portable::log1p(missing / among)
                                : portable::log1p(rest) + portable::log(row.own + row.others) -
                                      portable::log(row.among_positives) + below;
  }

  void weigh_positives(Index i, Index first, Index n, const S* s, S* g) const {
    SupConRow<S>& row = rows_[i];
    const PositiveWeights& all = rule_->weights(i);
    const double total = row.own + row.others;
    const double factor = this->factor(i);
    rule_->each_weighted(i, first, n, [&](Index k, double weight, bool heaviest) {
      const S near = S(sign_) * s[k];
      const double of_all = portable::exp(-below_best(row, static_cast<double>(near))) / total;
      double slope = 0;
      if (outside_) {
        slope =
            heaviest ? (all.rest * row.own - row.others) / total : of_all * (1 + all.rest) - weight;
        slope /= 1 + all.rest;
      } else {
        const double share =
            weight * portable::exp(-scaled(row.best_positive - near)) / row.among_positives;
        slope = heaviest ? -share * (lighter_[i].lost / total) : of_all - share;
      }
      g[k] = static_cast<S>(factor * slope);
      row.temperature +=
          sign_ * factor * slope * (static_cast<double>(near) - static_cast<double>(row.best));
    });
  }

  // ---- shared exponentials: class codes, and columns for rows with one positive -----------------

  /// A row with one positive gets the positive's column, so that it can be kept apart; as a query
  /// it has a class code that no key has.
  void share(Scratch& scratch, Index rows) {
    const S* codes = rule_->codes().query;
    take_codes(scratch, rows);
    auto* first = scratch.take<Index>(rows);
    std::fill_n(first, rows, no_column);
    for (Index i = 0; i < rows && rule_->is_of_pairs(); ++i) {
      if (rule_->members(i) != 1) continue;
      partners_[i] = i;
      tile_codes_[i] = class_code<S>(rows);
    }
    for (Index i = 0; i < rows && !rule_->is_of_pairs(); ++i) {
      if (rule_->members(i) != 2) continue;
      Index& other = first[class_number(codes[i])];
      if (other != no_column) {
        partners_[i] = other;
        partners_[other] = i;
      }
      other = i;
      tile_codes_[i] = class_code<S>(rows);
    }
  }

  void take_codes(Scratch& scratch, Index rows) {
    partners_ = scratch.take<Index>(rows);
    tile_codes_ = scratch.take<S>(rows);
    std::fill_n(partners_, rows, no_column);
    std::copy_n(rule_->codes().query, rows, tile_codes_);
  }

  const SoftmaxLoops<S>& loops_ = softmax_loops<S>();
  int sign_;
  double temperature_;
  S rate_;
  bool outside_;
  bool sum_inside_;
  const PositiveRule<S>* rule_;
  const Index* positives_;
  Index* counts_ = nullptr;  ///< the same of visitors
  VisitingUpstream upstream_;
  SupConRow<S>* rows_;
  LighterPositives* lighter_ = nullptr;  ///< one a row, if positives have weights
  Index* partners_ = nullptr;  ///< the column of each row's one positive; null if none are shared
  S* tile_codes_ = nullptr;    ///< of rows as queries
};

}  // namespace nearfar::detail
