#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/mining/anchor_row.hpp"
#include "nearfar/mining/mining.hpp"
#include "nearfar/terms/triplet_term.hpp"

/// \file
/// Every triplet of a kind, without a list of them. With an anchor's positives sorted by distance,
/// the positives that form such a triplet with one negative are a range of ranks, found by binary
/// search; sums over the range come from prefix sums, and the weight of each positive from where
/// ranges begin and end. O(M log P) an anchor for the hinge, O(M P) for the soft margin.

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
    const SortedPositives<S, sign> positives(roles_, i, n, s, memory);
    if (g != nullptr) std::fill(g, g + n, S(0));
    Row row{0, 0, 0, 0, 0, 0, -1, -1};
    if (positives.count() == 0) return row;
    if (mining_ == Mining::semi_hard_per_pair) {
      nearest_farther(i, n, s, g, positives, memory, row);
    } else if (form_ == TripletForm::hinge) {
      hinge(i, n, s, g, positives, memory, row);
    } else {
      soft(i, n, s, g, positives, row);
    }
    return row;
  }

 private:
  using Positives = SortedPositives<S, sign>;

  /// body(j, distance, ranks) for each negative j of an anchor, all triplets counted.
  template <class Body>
  void each_negative(Index n, const S* s, const Positives& positives, Row& row,
                     const Body& body) const {
    detail::each_negative(positives, margin_, n, s, row, body);
  }

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

  void hinge(Index i, Index n, const S* s, S* g, const Positives& positives,
             AnchorScratch<S>& memory, Row& row) const {
    const Index count = positives.count();
    memory.sums[0] = 0;
    for (Index r = 0; r < count; ++r) {
      memory.sums[r + 1] = memory.sums[r] + static_cast<double>(positives.distance(r));
    }
    std::fill(memory.changes, memory.changes + count + 1, std::int64_t(0));
    each_negative(n, s, positives, row, [&](Index j, double negative, const Ranks& ranks) {
      auto [from, to] = chosen(ranks, count);
      row.terms += to - from;
      // A positive exactly a margin nearer costs nothing.
      if (ranks.easy < count &&
          static_cast<double>(positives.distance(ranks.easy)) <= negative - margin_) {
        from = std::max(from, positives.not_farther_than(negative - margin_));
      } else {
        from = std::max(from, ranks.easy);
      }
      if (from >= to) return;
      const auto active = to - from;
      row.active += active;
      row.value +=
          memory.sums[to] - memory.sums[from] + static_cast<double>(active) * (margin_ - negative);
      if (g == nullptr) return;
      g[j] = weight(i, -static_cast<double>(active));
      ++memory.changes[from];
      --memory.changes[to];
    });
    // Cancellation in the prefix sums must not leave a loss below zero.
    row.value = std::max(row.value, 0.0);
    if (g == nullptr) return;
    std::int64_t negatives = 0;
    for (Index r = 0; r < count; ++r) {
      negatives += memory.changes[r];
      g[positives.key(r)] = weight(i, static_cast<double>(negatives));
    }
  }

  void soft(Index i, Index n, const S* s, S* g, const Positives& positives, Row& row) const {
    each_negative(n, s, positives, row, [&](Index j, double negative, const Ranks& ranks) {
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
    // the nearest of each rank, then from the last rank down the nearest of it and all above.
    Index* candidate = reinterpret_cast<Index*>(memory.changes);
    std::fill(candidate, candidate + count + 1, Index(-1));
    Index farthest = -1;
    const auto distance = [&](Index j) { return S(-sign) * s[j]; };
    each_negative(n, s, positives, row, [&](Index j, double, const Ranks& ranks) {
      Index& best = candidate[ranks.semihard];
      if (best < 0 || distance(j) < distance(best)) best = j;
      if (farthest < 0 || distance(j) > distance(farthest)) farthest = j;
    });
    if (farthest < 0) return;
    Index best = -1;
    for (Index r = count - 1; r >= 0; --r) {
      const Index here = candidate[r + 1];
      if (here >= 0 && (best < 0 || distance(here) < distance(best) ||
                        (distance(here) == distance(best) && here < best))) {
        best = here;
      }
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
