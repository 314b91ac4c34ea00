#pragma once

#include <numeric>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/mining/anchor_row.hpp"
#include "nearfar/mining/mining.hpp"
#include "nearfar/terms/triplet_term.hpp"

/// \file
/// Every triplet of a kind, without a list of them. With an anchor's positives sorted by distance,
/// the positives that form such a triplet with one negative are a range of ranks, found by binary
/// search. How many negatives each positive meets, which is its weight and how often its distance
/// counts, follows from where ranges begin and end. O(M log P) an anchor for the hinge, O(M P) for
/// the soft margin.

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
    Row row{0, 0, 0, 0, 0, 0};
    const bool one_a_pair = mining_ == Mining::semi_hard_per_pair;
    if (positives.count() > 0 && !one_a_pair && form_ == TripletForm::hinge) {
      hinge(i, n, s, g, positives, memory, row);
      return row;
    }
    if (g != nullptr) std::fill(g, g + n, S(0));
    if (positives.count() == 0) return row;
    if (one_a_pair) {
      nearest_farther(i, n, s, g, positives, memory, row);
    } else {
      soft(i, n, s, g, positives, row);
    }
    return row;
  }

 private:
  using Positives = SortedPositives<S, sign>;

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

  /// Where the positives that cost something with a key begin and end, by rank; keys for which
  /// there are none begin and end behind the last.
  struct Costly {
    std::int32_t begin[KeyRanks<S>::at_once];
    std::int32_t end[KeyRanks<S>::at_once];
    std::int32_t size[KeyRanks<S>::at_once];

    // A positive exactly a margin nearer costs nothing.
    Costly(Mining mining, const KeyRanks<S>& ranks, std::int32_t count) {
      for (Index k = 0; k < KeyRanks<S>::at_once; ++k) {
        const std::int32_t from = mining == Mining::hard
                                      ? std::max(ranks.at_margin[k], ranks.semihard[k])
                                      : ranks.at_margin[k];
        const std::int32_t to = mining == Mining::semihard ? ranks.semihard[k]
                                : mining == Mining::easy   ? ranks.easy[k]
                                                           : count;
        size[k] = std::max(to - from, 0) & ranks.negative[k];
        const std::int32_t any = size[k] > 0 ? -1 : 0;
        begin[k] = (from & any) | (count & ~any);
        end[k] = (to & any) | (count & ~any);
      }
    }
  };

  void hinge(Index i, Index n, const S* s, S* g, const Positives& positives,
             AnchorScratch<S>& memory, Row& row) const {
    constexpr Index at_once = KeyRanks<S>::at_once;
    const Index count = positives.count();
    // How many keys begin or end at a rank is counted in four places: neighbours, which often begin
    // at the same, don't wait for each other.
    constexpr Index places = 4;
    std::fill_n(memory.changes, places * (count + 1), std::int64_t(0));
    constexpr Index lanes = 8;
    double values[lanes] = {};
    const double of_negative = sign * row_upstream(upstream_, i);
    each_ranks(
        positives, margin_, n, s, row, [&](Index first, Index size, const KeyRanks<S>& ranks) {
          const Costly costly(mining_, ranks, static_cast<std::int32_t>(count));
          const auto active = std::accumulate(costly.size, costly.size + at_once, std::int64_t(0));
          row.active += active;
          if (g != nullptr) {
            for (Index k = 0; k < size; ++k) {
              const auto times = static_cast<double>(costly.size[k]);
              g[first + k] = static_cast<S>(of_negative * times);
            }
          }
          if (active == 0) return;
          for (Index k = 0; k < at_once; k += lanes) {
            for (Index l = 0; l < lanes; ++l) {
              values[l] += static_cast<double>(costly.size[k + l]) *
                           (margin_ - static_cast<double>(ranks.distance[k + l]));
            }
          }
          for (Index k = 0; k < at_once; ++k) {
            ++memory.changes[places * costly.begin[k] + k % places];
          }
          if (!ends_vary()) return;
          for (Index k = 0; k < at_once; ++k) {
            --memory.changes[places * costly.end[k] + k % places];
          }
        });
    row.terms = terms(row);
    row.value = std::accumulate(values, values + lanes, 0.0);
    std::int64_t negatives = 0;
    for (Index r = 0; r < count; ++r) {
      const std::int64_t* changes = memory.changes + places * r;
      negatives = std::accumulate(changes, changes + places, negatives);
      row.value += static_cast<double>(negatives) * static_cast<double>(positives.distance(r));
      if (g != nullptr) g[positives.key(r)] = weight(i, static_cast<double>(negatives));
    }
    // Cancellation in the sums must not leave a loss below zero.
    row.value = std::max(row.value, 0.0);
  }

  /// Whether the positives that take part may end before the last.
  bool ends_vary() const { return mining_ == Mining::semihard || mining_ == Mining::easy; }

  std::int64_t terms(const Row& row) const {
    switch (mining_) {
      case Mining::hard:
        return row.hard;
      case Mining::semihard:
        return row.semihard;
      case Mining::easy:
        return row.easy;
      default:
        return row.hard + row.semihard + row.easy;
    }
  }

  void soft(Index i, Index n, const S* s, S* g, const Positives& positives, Row& row) const {
    each_negative(positives, margin_, n, s, row, [&](Index j, double negative, const Ranks& ranks) {
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
    each_negative(positives, margin_, n, s, row, [&](Index j, double, const Ranks& ranks) {
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
