#pragma once

#include <algorithm>

#include "nearfar/mining/anchor_row.hpp"

/// \file
/// The ranks of keys among an anchor's positives, many at a time.

namespace nearfar::detail {

/// Ranks of an anchor's positives, by the kind of triplet that they form with one negative: [0,
/// easy) easy, [easy, semihard) semi-hard, [semihard, count) hard.
struct Ranks {
  Index easy;
  Index semihard;
};

/// Counts all triplets of an anchor, and calls body(first, size, ranks) for its keys in order, with
/// the KeyRanks of each group.
template <class S, class Body>
void each_ranks(const SortedPositives<S>& positives, int sign, const S* role, Index n, const S* s,
                AnchorTriplets& row, const Body& body) {
  KeyRanks<S> ranks;
  for (Index first = 0; first < n; first += bounds_at_once) {
    const Index size = std::min(bounds_at_once, n - first);
    const RankSums sums =
        triplet_loops<S>().key_ranks(positives.trees(), sign, size, role + first, s + first, ranks);
    row.easy += sums.easy;
    row.semihard += sums.nearer - sums.easy;
    row.hard += sums.negatives * positives.count() - sums.nearer;
    body(first, size, static_cast<const KeyRanks<S>&>(ranks));
  }
}

/// The same with body(j, distance, ranks) for each of its negatives j.
template <class S, class Body>
void each_negative(const SortedPositives<S>& positives, int sign, const S* role, Index n,
                   const S* s, AnchorTriplets& row, const Body& body) {
  each_ranks(positives, sign, role, n, s, row,
             [&](Index first, Index size, const KeyRanks<S>& ranks) {
               for (Index k = 0; k < size; ++k) {
                 if (ranks.negative[k] == 0) continue;
                 body(first + k, static_cast<double>(ranks.distance[k]),
                      Ranks{ranks.easy[k], ranks.semihard[k]});
               }
             });
}

}  // namespace nearfar::detail
