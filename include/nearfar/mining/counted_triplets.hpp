#pragma once

#include "nearfar/mining/hinge_triplets.hpp"
#include "nearfar/mining/key_ranks.hpp"
#include "nearfar/terms/triplet_term.hpp"

/// \file
/// Every triplet of a kind, or one for each positive pair, from an anchor's whole row of scores:
/// O(M log P) an anchor for the hinge, O(M P) for the soft margin.

namespace nearfar::detail {

/// As the walk sees mining of every triplet of a kind, or of one triplet for each positive pair.
template <class S, int sign>
class CountedTriplets {
 public:
  using Row = AnchorTriplets;

  /// `memory` has an AnchorScratch a thread.
  CountedTriplets(Mining mining, TripletForm form, double margin, Roles<S> roles,
                  AnchorScratch<S>* memory, const Upstream& upstream)
      : mining_(mining),
        form_(form),
        margin_(margin),
        roles_(roles),
        memory_(memory),
        upstream_(upstream) {}

  Row row(Index i, int worker, Index n, const S* s, S* g) const {
    AnchorScratch<S>& memory = memory_[worker];
    const Positives positives = positives_of_row<sign>(roles_, i, n, s, margin_, memory);
    const bool one_a_pair = mining_ == Mining::semi_hard_per_pair;
    if (positives.count() > 0 && !one_a_pair && form_ == TripletForm::hinge) {
      return hinge(i, n, s, g, positives, memory);
    }
    Row row{0, 0, 0, 0, 0, 0};
    if (g != nullptr) std::fill(g, g + n, S(0));
    if (positives.count() == 0) return row;
    if (one_a_pair) {
      nearest_farther(i, n, s, g, positives, memory, row);
    } else {
      soft(i, n, s, g, positives, memory, row);
    }
    return row;
  }

 private:
  using Positives = SortedPositives<S>;

  /// The ranks that take part.
  std::pair<Index, Index> chosen(const Ranks& ranks, Index count) const {
    switch (mining_) {
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

  /// dL/ds of a score that is nearer or farther by one unit of distance.
  S weight(Index i, double times) const {
    return static_cast<S>(-sign * row_upstream(upstream_, i) * times);
  }

  Row hinge(Index i, Index n, const S* s, S* g, const Positives& positives,
            AnchorScratch<S>& memory) const {
    const HingeTriplets<S, sign> triplets(mining_, margin_);
    const Index negatives = std::count(memory.role, memory.role + n, Role<S>::negative);
    HingeAnchor<S> anchor = triplets.start(positives, negatives, memory.changes);
    triplets.see(anchor, row_upstream(upstream_, i), NegativeRoles<S>{memory.role}, n, s, g);
    return triplets.finish(anchor, [&](Index key, double times) {
      if (g != nullptr) g[key] = weight(i, times);
    });
  }

  void soft(Index i, Index n, const S* s, S* g, const Positives& positives,
            const AnchorScratch<S>& memory, Row& row) const {
    each_negative<sign>(
        positives, memory.role, n, s, row, [&](Index j, double negative, const Ranks& ranks) {
          const auto [from, to] = chosen(ranks, positives.count());
          row.terms += to - from;
          double slope = 0;
          for (Index r = from; r < to; ++r) {
            const TripletTerm term(form_,
                                   static_cast<double>(positives.distance(r)) - negative + margin_);
            row.value += term.value;
            row.active += term.value > 0 ? 1 : 0;
            if (g == nullptr) continue;
            slope += term.slope;
            g[positives.key(r)] += weight(i, term.slope);
          }
          if (g != nullptr) g[j] = weight(i, -slope);
        });
  }

  /// For each positive the nearest negative farther than it, or else the farthest negative.
  void nearest_farther(Index i, Index n, const S* s, S* g, const Positives& positives,
                       AnchorScratch<S>& memory, Row& row) const {
    const Index count = positives.count();
    // A negative of rank r, farther than r positives, is a candidate for positives below r: first
    // the nearest of each rank, then from the last rank down that of the lowest so far, which is
    // nearer than those above.
    std::int32_t* candidate = memory.changes;
    std::fill(candidate, candidate + count + 1, -1);
    Index farthest = -1;
    const auto distance = [&](Index j) { return S(-sign) * s[j]; };
    each_negative<sign>(positives, memory.role, n, s, row,
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
      const TripletTerm term(form_, static_cast<double>(positives.distance(r)) -
                                        static_cast<double>(distance(negative)) + margin_);
      ++row.terms;
      row.value += term.value;
      row.active += term.value > 0 ? 1 : 0;
      if (g == nullptr) continue;
      g[positives.key(r)] += weight(i, term.slope);
      g[negative] += weight(i, -term.slope);
    }
  }

  Mining mining_;
  TripletForm form_;
  double margin_;
  Roles<S> roles_;
  AnchorScratch<S>* memory_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
