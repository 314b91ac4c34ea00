#pragma once

#include <limits>

#include "nearfar/mining/mining.hpp"
#include "nearfar/tiles/relation.hpp"

/// \file
/// One triplet an anchor: the positive and the negative that it takes.

namespace nearfar::detail {

/// The key of one kind that suits an anchor best so far. `merit` is its distance where a far key is
/// wanted, minus the distance where a near one is.
template <class S>
struct ChosenKey {
  S merit = -std::numeric_limits<S>::infinity();
  S limit = std::numeric_limits<S>::infinity();  ///< merits from here on don't suit
  Index key = -1;

  bool found() const { return key >= 0; }
};

/// As the walk sees a choice of one positive and one negative a row; ties go to the lowest index. A
/// choice that waits for the other (semi-hard) takes a second look, at what the first one chose.
template <class S, int sign>
class ChosenKeys {
 public:
  struct Row {
    ChosenKey<S> positive;
    ChosenKey<S> negative;
  };

  /// `first_look`: its rows, or null when this is the first. Keys of the walk are known to rows by
  /// numbers from `number` on: where they come in parts, in any order.
  ChosenKeys(PositiveChoice positive, NegativeChoice negative, const Relation<S>& relation,
             const Row* first_look, Index number = 0)
      : positive_waits_(positive == PositiveChoice::semihard),
        negative_waits_(negative == NegativeChoice::semihard),
        positive_merit_(S(positive == PositiveChoice::easy ? sign : -sign)),
        negative_merit_(S(negative == NegativeChoice::easy ? -sign : sign)),
        relation_(relation),
        first_look_(first_look),
        number_(number) {}

  Row start(Index i) const {
    Row row;
    if (first_look_ == nullptr) {
      if (positive_waits_) row.positive.limit = -infinity;
      if (negative_waits_) row.negative.limit = -infinity;
      return row;
    }
    row = first_look_[i];
    row.positive.limit = row.negative.limit = -infinity;
    // The farthest nearer positive, the nearest farther negative: the other's score is the limit.
    const S between = positive_merit_ * negative_merit_;
    if (positive_waits_ && row.negative.found()) row.positive.limit = row.negative.merit * between;
    if (negative_waits_ && row.positive.found()) row.negative.limit = row.positive.merit * between;
    return row;
  }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const RowCodes<S> codes(relation_, i, first, n);
    ElementMax<S> positive;
    ElementMax<S> negative;
    each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      const T none = spread<T>(-infinity);
      const T as_positive = load<T>(s + k) * spread<T>(positive_merit_);
      const T as_negative = load<T>(s + k) * spread<T>(negative_merit_);
      const T suits_positive =
          select_less(as_positive, spread<T>(row.positive.limit), as_positive, none);
      const T suits_negative =
          select_less(as_negative, spread<T>(row.negative.limit), as_negative, none);
      positive.see(codes.if_positive(k, suits_positive, none));
      negative.see(codes.if_positive(k, none, suits_negative));
    });
    improve(row.positive, positive.value(), number_ + first, [&](Index k, S merit) {
      return codes.key[k] == codes.own && s[k] * positive_merit_ == merit;
    });
    improve(row.negative, negative.value(), number_ + first, [&](Index k, S merit) {
      return codes.key[k] != codes.own && s[k] * negative_merit_ == merit;
    });
  }

  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S*, S* g) const { std::fill_n(g, n, S(0)); }

 private:
  static constexpr S infinity = std::numeric_limits<S>::infinity();

  /// The best of a stretch is seldom better than all before, or as good with a lower number: only
  /// then is it looked for.
  template <class IsAt>
  static void improve(ChosenKey<S>& chosen, S merit, Index first, const IsAt& is_at) {
    if (!(merit > chosen.merit) && !(merit == chosen.merit && first < chosen.key)) return;
    Index k = 0;
    while (!is_at(k, merit)) ++k;
    chosen.merit = merit;
    chosen.key = first + k;
  }

  bool positive_waits_;
  bool negative_waits_;
  S positive_merit_;  ///< what makes a score the merit of a positive: 1 or -1
  S negative_merit_;
  const Relation<S>& relation_;
  const Row* first_look_;
  Index number_;
};

}  // namespace nearfar::detail
