#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/lifted.hpp"
#include "nearfar/terms/log_sum.hpp"

/// \file
/// The term of the lifted structured loss: a positive pair against all negatives of both of its
/// rows. It takes two score passes: one for each row's log-sum-exp over its negatives, one for the
/// pairs.

namespace nearfar::detail {

/// First pass: log sum over negatives of exp(nearness) of each row. Has no gradient.
template <class S>
class NegativeLogSumTerm final : public LabelledTerm<S>, public NoNumbersAlong {
 public:
  NegativeLogSumTerm(Scratch& scratch, Index rows, int sign, const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule),
        sign_(sign),
        rows_(scratch.take<LogSum<S>>(rows)),
        values_(scratch.take<double>(rows)) {}

  const LogSum<S>& operator[](Index i) const { return rows_[i]; }
  /// Its value, once the row is closed: pairs need it many times.
  double value_of(Index i) const { return values_[i]; }

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    LogSum<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    row.raise(loops_.largest_negative(n, s, sign_, positives.mask()));
    if (std::isinf(row.best)) return;
    row.sum += loops_.negative_sum(n, s, sign_, positives.mask(), row.best);
  }

  void close(Index i) override { values_[i] = rows_[i].value(); }

  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

  // As VisitingTerm has them.

  using OpenRow = LogSum<S>;
  using ClosedRow = NoClosedRow;

  NegativeLogSumTerm of_visitors(Scratch& scratch, Index rows) const {
    NegativeLogSumTerm out = *this;
    out.rows_ = scratch.take<LogSum<S>>(rows);
    out.values_ = scratch.take<double>(rows);
    return out;
  }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) { rows_[i].merge(more); }

 private:
  const LiftedLoops<S>& loops_ = lifted_loops<S>();
  int sign_;
  LogSum<S>* rows_;
  double* values_;
};

/// The side of the queries of a pass, which decides the part of a pair (i, j) that belongs to row
/// i.
enum class LiftedSide {
  both,   ///< a set compared with itself: a pair comes with both rows, and half of it belongs to
          ///< each
  query,  ///< the pair's term, and the derivatives of the query's negatives
  key     ///< the derivatives of the key's negatives
};

/// Statistics of one row in the second pass.
struct LiftedRow {
  double value;         ///< the row's part of its pairs' terms
  double through;       ///< dL/d(the row's log-sum-exp over negatives), from its side
  std::int64_t active;  ///< positive pairs above zero, from this row; of a set compared with itself
                        ///< each pair counts twice
};

/// Second pass: J_ij = log(exp(L_i) + exp(L_j)) + m - nearness_ij for positive pairs, L_i the first
/// pass's log-sum-exps; a pair's term is max(0, J)^2 / 2.
template <class S>
class LiftedTerm final : public LabelledTerm<S> {
 public:
  using LogSums = NegativeLogSumTerm<S>;

  /// Takes the log-sum-exps of the rows and of the keys. `listed_by` is for a set compared with
  /// itself whose rows may list rows that do not list them: the rule with keys as anchors; else
  /// null. Arguments must outlive the term.
  LiftedTerm(Scratch& scratch, Index rows, LiftedSide side, int sign, double margin,
             const LogSums& own, const LogSums& others, const PositiveRule<S>& rule,
             const Upstream& upstream, const PositiveRule<S>* listed_by = nullptr)
      : LabelledTerm<S>(rule),
        side_(side),
        sign_(sign),
        margin_(margin),
        own_(own),
        others_(others),
        upstream_(upstream),
        listed_by_(listed_by),
        rows_(scratch.take<LiftedRow>(rows)) {}

  const LiftedRow& operator[](Index i) const { return rows_[i]; }

  /// Numbers of a row as a key that its pairs need.
  static constexpr Index key_numbers = 2;
  void fill_key(Index i, double* numbers) const {
    numbers[0] = own_.value_of(i);
    numbers[1] = row_upstream(upstream_, i);
  }
  /// Sets key_numbers numbers for each key of a block, in place of log-sum-exps and upstreams.
  void set_keys(const double* numbers) { keys_ = numbers; }

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    LiftedRow& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const OtherSide other_side(listed_by_, i, first, n);
    Pairs pairs;
    find(i, first, n, s, positives, pairs);
    for (Index p = 0; p < pairs.count; ++p) {
      if (!(pairs.j[p] > 0)) continue;
      const Index k = pairs.place[p];
      const bool both = other_side.agrees(k);
      row.value += share() * pairs.j[p] * pairs.j[p] / 2;
      row.through += slope(pairs.j[p], i, first + k, both) * pairs.share[p];
      row.active += both ? 1 : 2;
    }
    if (other_side.positives() == nullptr) return;
    // A pair that the other row alone counts contributes to this row's negatives, too.
    find(i, first, n, s, *other_side.positives(), pairs);
    for (Index p = 0; p < pairs.count; ++p) {
      const Index k = pairs.place[p];
      if (positives[k] || !(pairs.j[p] > 0)) continue;
      row.through += slope(pairs.j[p], first + k, i, false) * pairs.share[p];
    }
  }

  void close(Index) override {}
  double value(Index i) const override { return rows_[i].value; }

  /// Row i's weights include the derivative through its own log-sum-exp.
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const ClosedRow of_negatives = closed_row(i);
    loops_.negative_gradient(n, s, sign_, positives.mask(), of_negatives.best, of_negatives.weight,
                             g);
    const OtherSide other_side(listed_by_, i, first, n);
    Pairs pairs;
    find(i, first, n, s, positives, pairs);
    for (Index p = 0; p < pairs.count; ++p) {
      const Index k = pairs.place[p];
      const bool both = other_side.agrees(k);
      const double part = -sign_ * (both ? share() : 1);
      g[k] = pairs.j[p] > 0 ? static_cast<S>(part * slope(pairs.j[p], i, first + k, both)) : S(0);
    }
  }

  // As VisitingTerm has them.

  using OpenRow = LiftedRow;
  /// The exponentials of a row's negatives relative to `best`, times the weight, are its weights.
  struct ClosedRow {
    S best;
    S weight;
  };

  LiftedTerm of_visitors(Scratch& scratch, Index rows) const {
    LiftedTerm out = *this;
    out.rows_ = scratch.take<LiftedRow>(rows);
    out.visitors_ = scratch.take<Visitor>(rows);
    return out;
  }
  Index numbers_along() const { return key_numbers; }
  void give_numbers(Index i, double* to) const { fill_key(i, to); }
  void take_numbers(Index i, const double* from) {
    visitors_[i].log_sum = from[0];
    visitors_[i].upstream = from[1];
  }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) {
    rows_[i].value += more.value;
    rows_[i].through += more.through;
    rows_[i].active += more.active;
  }
  ClosedRow closed_row(Index i) const {
    if (visitors_ != nullptr) return visitors_[i].closed;
    const LogSum<S>& own = own_[i];
    if (!(own.sum > 0)) return {S(0), S(0)};
    return {own.best, static_cast<S>(sign_ * rows_[i].through / own.sum)};
  }
  void set_closed(Index i, const ClosedRow& row) { visitors_[i].closed = row; }

 private:
  /// What is known of a row of another process.
  struct Visitor {
    double log_sum;
    double upstream;
    ClosedRow closed;
  };

  /// Elements of a vector of doubles, in every instruction set.
  static constexpr Index whole_vectors = 64 / Index(sizeof(double));
  static_assert(tile_width % whole_vectors == 0);

  /// The positive pairs of a row among keys of a tile.
  struct Pairs {
    Index count;
    std::int32_t place[tile_width];
    double j[tile_width];      ///< J_ij
    double share[tile_width];  ///< of row i's negatives in both rows' sum
  };

  void find(Index i, Index first, Index n, const S* s, const RowPositives<S>& positives,
            Pairs& out) const {
    out.count = 0;
    for (Index k = 0; k < n; ++k) {  // without a branch that would be mispredicted
      out.place[out.count] = static_cast<std::int32_t>(k);
      out.count += positives[k] ? 1 : 0;
    }
    const double own = log_sum(i);
    for (Index p = 0; p < out.count; ++p) out.j[p] = log_sum_of_key(first + out.place[p]);
    // Whole vectors, for a row has few positives in a tile.
    const Index padded = round_up(out.count, whole_vectors);
    std::fill(out.j + out.count, out.j + padded, own);
    loops_.sums_of_pairs(padded, own, out.j, out.share);
    for (Index p = 0; p < out.count; ++p) {
      out.j[p] = out.j[p] + margin_ - sign_ * static_cast<double>(s[out.place[p]]);
    }
  }

  double log_sum(Index i) const {
    return visitors_ != nullptr ? visitors_[i].log_sum : own_.value_of(i);
  }
  double log_sum_of_key(Index j) const {
    return keys_ != nullptr ? keys_[key_numbers * j] : others_.value_of(j);
  }

  /// The row's share of a pair's term.
  double share() const {
    switch (side_) {
      case LiftedSide::both:
        return 0.5;
      case LiftedSide::query:
        return 1;
      case LiftedSide::key:
        break;
    }
    return 0;
  }

  /// The keys, of n from `first` on, that have row i as a positive; all positives of row i if the
  /// rule is symmetric.
  class OtherSide {
   public:
    OtherSide(const PositiveRule<S>* rule, Index i, Index first, Index n) {
      if (rule != nullptr) positives_.emplace(*rule, i, first, n);
    }
    bool agrees(Index k) const { return !positives_ || (*positives_)[k]; }
    /// Null if the rule is symmetric.
    const RowPositives<S>* positives() const { return positives_ ? &*positives_ : nullptr; }

   private:
    std::optional<RowPositives<S>> positives_;
  };

  /// dL/dJ_ij of a pair that row i counts; with `both`, also of the same pair from the other row.
  /// The two rows of a batch may have different upstreams.
  double slope(double j, Index i, Index other, bool both) const {
    switch (side_) {
      case LiftedSide::both:
        return j / 2 * (own_upstream(i) + (both ? upstream_of(other) : 0.0));
      case LiftedSide::query:
        return j * row_upstream(upstream_, i);
      case LiftedSide::key:
        break;
    }
    return j * upstream_of(other);
  }

  double own_upstream(Index i) const {
    return visitors_ != nullptr ? visitors_[i].upstream : row_upstream(upstream_, i);
  }
  double upstream_of(Index other) const {
    return keys_ != nullptr ? keys_[key_numbers * other + 1] : row_upstream(upstream_, other);
  }

  const LiftedLoops<S>& loops_ = lifted_loops<S>();
  LiftedSide side_;
  int sign_;
  double margin_;
  const LogSums& own_;
  const LogSums& others_;
  const Upstream& upstream_;
  const PositiveRule<S>* listed_by_;
  const double* keys_ = nullptr;
  LiftedRow* rows_;
  Visitor* visitors_ = nullptr;  ///< where rows are those of other processes
};

}  // namespace nearfar::detail
