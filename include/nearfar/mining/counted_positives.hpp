#pragma once

#include <algorithm>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/mining/counted_triplets.hpp"

/// \file
/// Every triplet of a kind for anchors whose keys come in blocks: a first pass collects positives,
/// a second counts negatives, a third gives positives their weights.

namespace nearfar::detail {

/// The positives of one anchor, in order of arrival.
template <class S>
struct ArrivedPositives {
  S* numbers;   ///< their distances; later the sums of their slopes
  Index* keys;  ///< their numbers among all keys; null if not wanted
  Index count;  ///< number of positives so far
};

/// Collects the distances of anchors' positives. Has no gradients.
template <class S>
class CollectPositives final : public LabelledTerm<S> {
 public:
  /// For `rows` anchors, anchor i with count_of(i) positives. Distances are -sign * score.
  template <class CountOf>
  CollectPositives(Scratch& scratch, Index rows, const CountOf& count_of, bool with_keys, int sign,
                   const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule), sign_(sign), rows_(scratch.take<ArrivedPositives<S>>(rows)) {
    for (Index i = 0; i < rows; ++i) {
      rows_[i] = {scratch.take<S>(count_of(i)),
                  with_keys ? scratch.take<Index>(count_of(i)) : nullptr, 0};
    }
  }

  /// Sets the number of the first key of a block.
  void set_number(Index number) { number_ = number; }

  ArrivedPositives<S>& operator[](Index i) { return rows_[i]; }
  ArrivedPositives<S>* data() { return rows_; }

  void start(Index i) override { rows_[i].count = 0; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    ArrivedPositives<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    for (Index k = 0; k < n; ++k) {
      if (!positives[k]) continue;
      if (row.keys != nullptr) row.keys[row.count] = number_ + first + k;
      row.numbers[row.count++] = S(-sign_) * s[k];
    }
  }

  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

 private:
  int sign_;
  Index number_ = 0;
  ArrivedPositives<S>* rows_;
};

/// The negatives of anchors with known positives, at a separate cost for each triplet.
/// HingeNegativesTerm is the counterpart for the hinge. O(P) a negative.
template <class S>
class CostlyNegativesTerm final : public LabelledTerm<S> {
 public:
  /// For `rows` anchors. The upstream must outlive the term.
  CostlyNegativesTerm(Scratch& scratch, Index rows, Mining mining, const TripletCost& cost,
                      int sign, const PositiveRule<S>& rule, const Upstream& upstream)
      : LabelledTerm<S>(rule),
        mining_(mining),
        cost_(cost),
        sign_(sign),
        upstream_(upstream),
        anchors_(scratch.take<Anchor>(rows)) {}

  /// Sets the positives of anchor i, before any pass; `slopes` is memory for one number a positive.
  void set_positives(Index i, const SortedPositives<S>& positives, double* slopes) {
    anchors_[i] = {positives, slopes, {0, 0, 0, 0, 0, 0}};
    std::fill_n(slopes, positives.count(), 0.0);
  }

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    gradient(i, first, n, s, nullptr);
  }
  void close(Index) override {}

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    Anchor& anchor = anchors_[i];
    if (g != nullptr) std::fill_n(g, n, S(0));
    if (anchor.positives.count() == 0) return;
    S role[tile_width];
    this->rule().match(i, first, n, role);
    const double unit = sign_ * row_upstream(upstream_, i);
    add_triplets(
        mining_, cost_, anchor.positives, sign_, role, n, s, anchor.sums,
        [&](Index rank, double slope) { anchor.slopes[rank] += slope; },
        [&](Index k, double slope) {
          if (g != nullptr) g[k] = static_cast<S>(unit * slope);
        });
  }

  /// Returns the anchor's triplets after the last key. Calls body(key, slope) for each positive
  /// with the sum of its slopes.
  template <class Body>
  AnchorTriplets finish(Index i, const Body& body) const {
    const Anchor& anchor = anchors_[i];
    for (Index r = 0; r < anchor.positives.count(); ++r) {
      body(anchor.positives.key(r), anchor.slopes[r]);
    }
    return anchor.sums;
  }

 private:
  struct Anchor {
    SortedPositives<S> positives;
    double* slopes;  ///< of triplets of each rank
    AnchorTriplets sums;
  };

  Mining mining_;
  TripletCost cost_;
  int sign_;
  const Upstream& upstream_;
  Anchor* anchors_;
};

/// Gives the positives, which come in the same order again, their weights.
template <class S>
class DrawPositives final : public LabelledTerm<S> {
 public:
  /// `rows` anchors' positives, whose numbers are the sums of their slopes. The upstream must
  /// outlive the term.
  DrawPositives(ArrivedPositives<S>* positives, Index rows, int sign, const PositiveRule<S>& rule,
                const Upstream& upstream)
      : LabelledTerm<S>(rule), sign_(sign), upstream_(upstream), rows_(positives) {
    for (Index i = 0; i < rows; ++i) rows_[i].count = 0;
  }

  void start(Index i) override { rows_[i].count = 0; }
  void accumulate(Index, Index, Index, const S*) override {}
  void close(Index) override {}

  void gradient(Index i, Index first, Index n, const S*, S* g) override {
    ArrivedPositives<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double unit = -sign_ * row_upstream(upstream_, i);
    for (Index k = 0; k < n; ++k) {
      g[k] = positives[k] ? static_cast<S>(unit * static_cast<double>(row.numbers[row.count++]))
                          : S(0);
    }
  }

 private:
  int sign_;
  const Upstream& upstream_;
  ArrivedPositives<S>* rows_;
};

}  // namespace nearfar::detail
