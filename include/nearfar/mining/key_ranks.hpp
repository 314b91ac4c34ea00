#pragma once

#include <utility>

#include "nearfar/mining/anchor_row.hpp"

/// \file
/// The ranks of keys among an anchor's positives, many at a time.

namespace nearfar::detail {

/// Ranks of an anchor's positives by what triplet they form with one negative:
/// [0, easy) easy, [easy, semihard) semi-hard, [semihard, count) hard.
struct Ranks {
  Index easy;
  Index semihard;
};

/// Ranks for some keys in a row.
template <class S>
struct KeyRanks {
  static constexpr Index at_once = bounds_at_once;

  S distance[at_once];
  std::int32_t negative[at_once];  ///< all bits set for a negative, none for others
  std::int32_t costless[at_once];  ///< how many positives are nearer by the margin or more
  std::int32_t easy[at_once];      ///< by more than the margin
  std::int32_t semihard[at_once];  ///< nearer at all

  /// For n keys, at most at_once, of these roles and scores; what is left over is no negative.
  template <int sign>
  void find(const SortedPositives<S>& positives, const S* role, Index n, const S* s) {
    S padded[at_once];
    if (n < at_once) {
      std::fill(std::copy(role, role + n, padded), padded + at_once, Role<S>::nobody);
      role = padded;
      std::fill(distance + n, distance + at_once, S(0));
    }
    each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      store(distance + k, constant<T>(-sign) * load<T>(s + k));
    });
    for (Index k = 0; k < at_once; ++k) negative[k] = role[k] == Role<S>::negative ? -1 : 0;
    positives.nearer().ranks(distance, semihard);
    positives.costless().ranks(distance, costless);
    if (positives.margin_is_met()) {
      positives.easy().ranks(distance, easy);
    } else {
      std::copy(costless, costless + at_once, easy);
    }
  }

  /// Adds the triplets of `count` positives with these keys.
  void add_to(AnchorTriplets& row, Index count) const {
    std::int32_t nearer = 0;
    std::int32_t nearer_by_margin = 0;
    std::int32_t negatives = 0;
    for (Index k = 0; k < at_once; ++k) {
      nearer_by_margin += easy[k] & negative[k];
      nearer += semihard[k] & negative[k];
      negatives -= negative[k];
    }
    row.easy += nearer_by_margin;
    row.semihard += nearer - nearer_by_margin;
    row.hard += negatives * count - nearer;
  }
};

/// Counts all triplets of an anchor, and calls body(first, size, ranks) for its keys in order, with
/// the KeyRanks of as many as come at once.
template <int sign, class S, class Body>
void each_ranks(const SortedPositives<S>& positives, const S* role, Index n, const S* s,
                AnchorTriplets& row, const Body& body) {
  KeyRanks<S> ranks;
  for (Index first = 0; first < n; first += KeyRanks<S>::at_once) {
    const Index size = std::min(KeyRanks<S>::at_once, n - first);
    ranks.template find<sign>(positives, role + first, size, s + first);
    ranks.add_to(row, positives.count());
    body(first, size, std::as_const(ranks));
  }
}

/// The same with body(j, distance, ranks) for each of its negatives j.
template <int sign, class S, class Body>
void each_negative(const SortedPositives<S>& positives, const S* role, Index n, const S* s,
                   AnchorTriplets& row, const Body& body) {
  each_ranks<sign>(positives, role, n, s, row,
                   [&](Index first, Index size, const KeyRanks<S>& ranks) {
                     for (Index k = 0; k < size; ++k) {
                       if (ranks.negative[k] == 0) continue;
                       body(first + k, static_cast<double>(ranks.distance[k]),
                            Ranks{ranks.easy[k], ranks.semihard[k]});
                     }
                   });
}

}  // namespace nearfar::detail
