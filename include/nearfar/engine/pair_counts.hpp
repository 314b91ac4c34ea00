#pragma once

#include <algorithm>
#include <numeric>

#include "nearfar/engine/pair_mask.hpp"
#include "nearfar/engine/positive_rule.hpp"

/// \file
/// Counts of a query's positives and negatives, and the weights of its positives.

namespace nearfar::detail {

struct PairCounts {
  Index positives;
  Index negatives;
};

/// The number of positives among the keys that query i is compared with, and of negatives.
template <class S>
PairCounts count_pairs(const PositiveRule<S>& rule, const PairMask& mask, Index i, Index keys) {
  S match[tile_width];
  Index seen = 0;
  double positive = 0;
  for (Index first = 0; first < keys; first += tile_width) {
    const Index n = std::min(tile_width, keys - first);
    rule.match(i, first, n, match);
    mask.each_part(i, first, first + n, [&](Index from, Index some) {
      seen += some;
      positive += std::accumulate(match + (from - first), match + (from - first + some), 0.0);
    });
  }
  const auto positives = static_cast<Index>(positive);
  return {positives, seen - positives};
}

/// Adds the weights of query i's positives among the keys that it is compared with.
template <class S>
void add_weights(const PositiveRule<S>& rule, const PairMask& mask, Index i, Index keys,
                 PositiveWeights& all) {
  mask.each_part(i, 0, keys, [&](Index first, Index n) { rule.add_weights(i, first, n, all); });
}

/// Calls body(i) for each of `queries` queries, on several threads, for bodies that take long.
template <class Body>
void each_counted(Index queries, int threads, const Body& body) {
  constexpr Index rows_a_task = 16;
  parallel_tasks(tasks_of(queries, rows_a_task), threads, [&](Index t, int) {
    const Index end = std::min(queries, (t + 1) * rows_a_task);
    for (Index i = t * rows_a_task; i < end; ++i) body(i);
  });
}

}  // namespace nearfar::detail
