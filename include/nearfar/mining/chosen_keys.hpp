#pragma once

#include <limits>

#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/triplets.hpp"
#include "nearfar/mining/mining.hpp"

/// \file
/// One triplet an anchor: the choice of its positive and its negative.

namespace nearfar::detail {

/// The best key of one kind for an anchor so far. `merit` is its distance if a far key is wanted,
/// minus the distance if a near one is.
template <class S>
struct ChosenKey {
  S merit = -std::numeric_limits<S>::infinity();
  S limit = std::numeric_limits<S>::infinity();  ///< merits from here on are not allowed
  Index key = -1;

  bool found() const { return key >= 0; }
};

template <class S>
struct ChosenKeys {
  ChosenKey<S> positive;
  ChosenKey<S> negative;
};

/// The rules by which an anchor's positive and negative are chosen.
struct KeyChoice {
  PositiveChoice positive;
  NegativeChoice negative;
};

/// A choice of one positive and one negative a row; ties go to the lowest index. A semi-hard choice
/// depends on the other one, and thus takes a second pass after the first has found that. Has no
/// gradients.
template <class S>
class ChosenKeysTerm final : public LabelledTerm<S> {
 public:
  /// For `rows` anchors.
  ChosenKeysTerm(Scratch& scratch, Index rows, const KeyChoice& choice, int sign,
                 const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule),
        positive_waits_(choice.positive == PositiveChoice::semihard),
        negative_waits_(choice.negative == NegativeChoice::semihard),
        factors_{S(choice.positive == PositiveChoice::easy ? sign : -sign),
                 S(choice.negative == NegativeChoice::easy ? -sign : sign)},
        rows_(scratch.take<ChosenKeys<S>>(rows)) {}

  /// True if a choice depends on the other.
  bool waits() const { return positive_waits_ || negative_waits_; }
  /// Begins the second pass.
  void begin_second_pass() { second_pass_ = true; }

  const ChosenKeys<S>& operator[](Index i) const { return rows_[i]; }

  /// Sets the number of the first key of the passes that follow. Blocks of keys may come in any
  /// order.
  void set_number(Index number) { number_ = number; }

  void start(Index i) override {
    ChosenKeys<S>& row = rows_[i];
    if (!second_pass_) {
      row = {};
      if (positive_waits_) row.positive.limit = -infinite;
      if (negative_waits_) row.negative.limit = -infinite;
      return;
    }
    if (limits_ != nullptr) {
      row = {};
      row.positive.limit = limits_[i].positive;
      row.negative.limit = limits_[i].negative;
      return;
    }
    row.positive.limit = row.negative.limit = -infinite;
    // The farthest nearer positive, or the nearest farther negative: the other's score is the
    // limit.
    const S between = factors_.positive * factors_.negative;
    if (positive_waits_ && row.negative.found()) row.positive.limit = row.negative.merit * between;
    if (negative_waits_ && row.positive.found()) row.negative.limit = row.positive.merit * between;
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    ChosenKeys<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const KeyMerits<S> best = triplet_loops<S>().best_merits(
        n, s, positives.mask(), factors_, {row.positive.limit, row.negative.limit});
    improve(row.positive, best.positive, number_ + first,
            [&](Index k, S merit) { return positives[k] && s[k] * factors_.positive == merit; });
    improve(row.negative, best.negative, number_ + first,
            [&](Index k, S merit) { return !positives[k] && s[k] * factors_.negative == merit; });
  }

  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

  // As VisitingTerm has them.

  struct OpenRow {
    KeyMerits<S> merits;
    Index positive;
    Index negative;
  };
  using ClosedRow = NoClosedRow;

  ChosenKeysTerm of_visitors(Scratch& scratch, Index rows) const {
    ChosenKeysTerm out = *this;
    out.rows_ = scratch.take<ChosenKeys<S>>(rows);
    out.limits_ = scratch.take<KeyMerits<S>>(rows);
    return out;
  }
  /// A second pass's limits come from what the first has chosen.
  Index numbers_along() const { return second_pass_ ? 2 : 0; }
  void give_numbers(Index i, double* to) const {
    if (!second_pass_) return;
    to[0] = static_cast<double>(rows_[i].positive.limit);
    to[1] = static_cast<double>(rows_[i].negative.limit);
  }
  void take_numbers(Index i, const double* from) {
    if (second_pass_) limits_[i] = {static_cast<S>(from[0]), static_cast<S>(from[1])};
  }
  OpenRow open_row(Index i) const {
    const ChosenKeys<S>& row = rows_[i];
    return {{row.positive.merit, row.negative.merit}, row.positive.key, row.negative.key};
  }
  void merge(Index i, const OpenRow& more) {
    improve(rows_[i].positive, more.merits.positive, more.positive);
    improve(rows_[i].negative, more.merits.negative, more.negative);
  }

 private:
  static constexpr S infinite = std::numeric_limits<S>::infinity();

  /// The best key of a part is rarely better than all before, or as good with a lower number. The
  /// part is searched only then.
  template <class IsAt>
  static void improve(ChosenKey<S>& chosen, S merit, Index first, const IsAt& is_at) {
    if (!(merit > chosen.merit) && !(merit == chosen.merit && first < chosen.key)) return;
    Index k = 0;
    while (!is_at(k, merit)) ++k;
    chosen.merit = merit;
    chosen.key = first + k;
  }

  /// By a key that was chosen elsewhere.
  static void improve(ChosenKey<S>& chosen, S merit, Index key) {
    if (key < 0) return;
    if (merit > chosen.merit || !chosen.found() || (merit == chosen.merit && key < chosen.key)) {
      chosen.merit = merit;
      chosen.key = key;
    }
  }

  bool positive_waits_;
  bool negative_waits_;
  KeyMerits<S> factors_;  ///< the factor of a score in its merit: 1 or -1
  bool second_pass_ = false;
  Index number_ = 0;
  ChosenKeys<S>* rows_;
  KeyMerits<S>* limits_ = nullptr;  ///< of visitors, in a second pass
};

}  // namespace nearfar::detail
