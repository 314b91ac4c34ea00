#pragma once

#include <utility>

#include "nearfar/mining/hinge_triplets.hpp"
#include "nearfar/mining/key_ranks.hpp"
#include "nearfar/terms/triplet_term.hpp"

/// \file
/// Every triplet of a kind, or one for each positive pair, from an anchor's whole row of scores:
/// O(M log P) an anchor for the hinge, O(M P) for the soft margin.

namespace nearfar::detail {

/// The loss of a triplet.
struct TripletCost {
  TripletForm form;
  double margin;

  /// The loss for a positive and a negative at these distances.
  template <class S>
  TripletTerm of(S positive, double negative) const {
    return {form, static_cast<double>(positive) - negative + margin};
  }
};

/// The ranks of positives that form a triplet of the kind with a negative.
inline std::pair<Index, Index> chosen_ranks(Mining mining, const Ranks& ranks, Index count) {
  switch (mining) {
    case Mining::hard:
      return {ranks.semihard, count};
    case Mining::semihard:
      return {ranks.easy, ranks.semihard};
    case Mining::easy:
      return {0, ranks.easy};
    default:
      return {0, count};
  }
}

/// Adds every triplet of a kind that an anchor's positives form with n keys of these roles and
/// scores, at its own cost. Calls of_positive(rank, slope) for each triplet and of_negative(j,
/// slope) for each negative, with the sum of its triplets' slopes.
template <class S, class OfPositive, class OfNegative>
void add_triplets(Mining mining, const TripletCost& cost, const SortedPositives<S>& positives,
                  int sign, const S* role, Index n, const S* s, AnchorTriplets& row,
                  const OfPositive& of_positive, const OfNegative& of_negative) {
  each_negative(positives, sign, role, n, s, row,
                [&](Index j, double negative, const Ranks& ranks) {
                  const auto [from, to] = chosen_ranks(mining, ranks, positives.count());
                  row.terms += to - from;
                  double slopes = 0;
                  for (Index r = from; r < to; ++r) {
                    const TripletTerm term = cost.of(positives.distance(r), negative);
                    row.value += term.value;
                    row.active += term.value > 0 ? 1 : 0;
                    slopes += term.slope;
                    of_positive(r, term.slope);
                  }
                  of_negative(j, slopes);
                });
}

/// The miner of every triplet of a kind, or of one triplet for each positive pair.
template <class S>
class CountedTriplets final : public RowMiner<S> {
 public:
  /// For `rows` anchors. `memory` has an AnchorScratch a thread. The upstream must outlive the
  /// miner.
  CountedTriplets(Scratch& scratch, Index rows, Mining mining, const TripletCost& cost, int sign,
                  const Roles<S>& roles, AnchorScratch<S>* memory, const Upstream& upstream)
      : mining_(mining),
        cost_(cost),
        sign_(sign),
        roles_(roles),
        memory_(memory),
        upstream_(upstream),
        rows_(scratch.take<AnchorTriplets>(rows)) {}

  const AnchorTriplets& operator[](Index i) const { return rows_[i]; }
  AnchorTriplets* data() { return rows_; }

  void row(Index i, int worker, Index n, const S* s, S* g) override {
    AnchorScratch<S>& memory = memory_[worker];
    const Positives positives = positives_of_row(roles_, sign_, i, n, s, cost_.margin, memory);
    const bool one_a_pair = mining_ == Mining::semi_hard_per_pair;
    AnchorTriplets& row = rows_[i];
    row = {0, 0, 0, 0, 0, 0};
    if (positives.count() > 0 && !one_a_pair && cost_.form == TripletForm::hinge) {
      row = hinge(i, n, s, g, positives, memory);
      return;
    }
    if (g != nullptr) std::fill(g, g + n, S(0));
    if (positives.count() == 0) return;
    if (one_a_pair) {
      nearest_farther(i, n, s, g, positives, memory, row);
    } else {
      soft(i, n, s, g, positives, memory, row);
    }
  }

 private:
  using Positives = SortedPositives<S>;

  /// dL/ds for `times` units of derivative with respect to the distance.
  S weight(Index i, double times) const {
    return static_cast<S>(-sign_ * row_upstream(upstream_, i) * times);
  }

  AnchorTriplets hinge(Index i, Index n, const S* s, S* g, const Positives& positives,
                       AnchorScratch<S>& memory) const {
    const HingeTriplets<S> triplets(mining_, cost_.margin, sign_);
    const Index negatives = std::count(memory.role, memory.role + n, Role<S>::negative);
    HingeAnchor<S> anchor = triplets.start(positives, negatives, memory.changes);
    triplets.fold(anchor, row_upstream(upstream_, i), negatives_of<S>(memory.role), n, s, g);
    return triplets.finish(anchor, [&](Index key, double times) {
      if (g != nullptr) g[key] = weight(i, times);
    });
  }

  void soft(Index i, Index n, const S* s, S* g, const Positives& positives,
            const AnchorScratch<S>& memory, AnchorTriplets& row) const {
    add_triplets(
        mining_, cost_, positives, sign_, memory.role, n, s, row,
        [&](Index r, double slope) {
          if (g != nullptr) g[positives.key(r)] += weight(i, slope);
        },
        [&](Index j, double slope) {
          if (g != nullptr) g[j] = weight(i, -slope);
        });
  }

  /// Finds for each positive the nearest negative farther than it, or else the farthest negative.
  void nearest_farther(Index i, Index n, const S* s, S* g, const Positives& positives,
                       AnchorScratch<S>& memory, AnchorTriplets& row) const {
    const Index count = positives.count();
    // A negative of rank r, farther than r positives, is a candidate for positives below r. First
    // find the nearest of each rank; then, from the last rank down, keep the candidate of the
    // lowest rank so far, which is nearer than those above.
    std::int32_t* candidate = memory.changes;
    std::fill(candidate, candidate + count + 1, -1);
    Index farthest = -1;
    const S to_distance = S(-sign_);
    const auto distance = [s, to_distance](Index j) { return to_distance * s[j]; };
    each_negative(positives, sign_, memory.role, n, s, row,
                  [&](Index j, double, const Ranks& ranks) {
                    std::int32_t& best = candidate[ranks.semihard];
                    if (best < 0 || distance(j) < distance(best))
                      best = static_cast<std::int32_t>(j);
                    if (farthest < 0 || distance(j) > distance(farthest)) farthest = j;
                  });
    if (farthest < 0) return;
    Index best = -1;
    for (Index r = count - 1; r >= 0; --r) {
      if (candidate[r + 1] >= 0) best = candidate[r + 1];
      const Index negative = best >= 0 ? best : farthest;
      const TripletTerm term =
          cost_.of(positives.distance(r), static_cast<double>(distance(negative)));
      ++row.terms;
      row.value += term.value;
      row.active += term.value > 0 ? 1 : 0;
      if (g == nullptr) continue;
      g[positives.key(r)] += weight(i, term.slope);
      g[negative] += weight(i, -term.slope);
    }
  }

  Mining mining_;
  TripletCost cost_;
  int sign_;
  Roles<S> roles_;
  AnchorScratch<S>* memory_;
  const Upstream& upstream_;
  AnchorTriplets* rows_;
};

}  // namespace nearfar::detail
