#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/excluded_pairs.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/mining/search_tree.hpp"

/// \file
/// One anchor's positives in order of distance, and search trees for the ranks of its negatives
/// among them. Counting triplets needs nothing else.

namespace nearfar::detail {

/// The positives and negatives of each anchor in one call.
template <class S>
struct Roles {
  const PositiveRule<S>& rule;
  const ExcludedPairs& excluded;
  bool same_rows;  ///< queries and keys are the same rows: no row is its own pair

  /// Sets out to the roles of all n keys for anchor i.
  void of_anchor(Index i, Index n, S* out) const {
    for (Index first = 0; first < n; first += tile_width) {
      rule.match(i, first, std::min(tile_width, n - first), out + first);
    }
    if (excluded.any()) {
      excluded.each(i, [&](Index j) { out[j] = Role<S>::nobody; });
    } else if (same_rows) {
      out[i] = Role<S>::nobody;
    }
  }
};

/// Sums and counts of an anchor's triplets.
struct AnchorTriplets {
  double value;         ///< sum of their losses
  std::int64_t terms;   ///< triplets that count
  std::int64_t active;  ///< of these, with a loss above zero
  std::int64_t hard;    ///< of all triplets of the anchor, or of its one triplet
  std::int64_t semihard;
  std::int64_t easy;
};

/// Memory for the positives of one anchor.
template <class S>
struct PositivesMemory {
  std::int32_t* keys;  ///< sorted
  S* distances;        ///< their distances
  S* nearer;           ///< search trees for values of the positives
  S* costless;
  S* easy;

  /// For up to n positives.
  PositivesMemory(Scratch& scratch, Index n)
      : keys(scratch.take<std::int32_t>(n)),
        distances(scratch.take<S>(n)),
        nearer(scratch.take<S>(search_tree_size<S>(n))),
        costless(scratch.take<S>(search_tree_size<S>(n))),
        easy(scratch.take<S>(search_tree_size<S>(n))) {}

  static Index bytes(Index n) {
    return 4 * n + (n + 3 * search_tree_size<S>(n)) * Index(sizeof(S));
  }
};

/// The largest S below x, for x above the lowest. (std::nextafter takes a function call for each
/// number.)
template <class S>
S next_down(S x) {
  using Bits = std::conditional_t<sizeof(S) == sizeof(float), std::int32_t, std::int64_t>;
  if (x == S(0)) return -std::numeric_limits<S>::denorm_min();
  const Bits bits = std::bit_cast<Bits>(x);
  return std::bit_cast<S>(bits > 0 ? bits - 1 : bits + 1);
}

/// An anchor's positives by distance, nearest first, ties by key.
template <class S>
class SortedPositives {
 public:
  SortedPositives() = default;

  /// The first `count` keys in `memory`, in order, with distances distance(key).
  template <class Distance>
  SortedPositives(Index count, const Distance& distance, double margin, PositivesMemory<S>& memory)
      : keys_(memory.keys), distances_(memory.distances), count_(count) {
    sort(distance, memory);
    const auto limit = [&](Index rank) { return static_cast<double>(distances_[rank]) + margin; };
    trees_.nearer = search_tree(count, memory.nearer, [&](Index rank) { return distances_[rank]; });
    bool met = false;
    // For the largest distance with a cost.
    trees_.costless = search_tree(count, memory.costless, [&](Index rank) {
      const S most = static_cast<S>(limit(rank));
      met = met || static_cast<double>(most) == limit(rank);
      return static_cast<double>(most) < limit(rank) ? most : next_down(most);
    });
    trees_.easy = trees_.costless;
    trees_.margin_is_met = met;
    if (!met) return;
    trees_.easy = search_tree(count, memory.easy, [&](Index rank) {
      const S most = static_cast<S>(limit(rank));
      return static_cast<double>(most) <= limit(rank) ? most : next_down(most);
    });
  }

  Index count() const { return count_; }
  S distance(Index rank) const { return distances_[rank]; }
  Index key(Index rank) const { return keys_[rank]; }
  const PositiveTrees<S>& trees() const { return trees_; }

 private:
  /// Sorts keys and sets their distances.
  template <class Distance>
  void sort(const Distance& distance, PositivesMemory<S>& memory) const {
    if (count_ <= few) {
      sort_few(distance, memory);
      return;
    }
    std::sort(memory.keys, memory.keys + count_, [&](Index a, Index b) {
      return distance(a) != distance(b) ? distance(a) < distance(b) : a < b;
    });
    for (Index r = 0; r < count_; ++r) memory.distances[r] = distance(memory.keys[r]);
  }

  /// Sorts by the number of nearer positives, without branches.
  template <class Distance>
  void sort_few(const Distance& distance, PositivesMemory<S>& memory) const {
    std::int32_t key[few];
    S own[few];
    std::int32_t nearer[few];
    std::int32_t placed[few];  // number of keys placed so far with the same number of nearer ones
    std::copy_n(memory.keys, count_, key);
    std::fill_n(placed, count_, 0);
    for (Index k = 0; k < count_; ++k) own[k] = distance(key[k]);
    std::fill(own + count_, own + tasks_of(count_, bounds_at_once) * bounds_at_once, S(0));
    for (Index k = 0; k < count_; k += bounds_at_once) {
      triplet_loops<S>().count_below(own, count_, own + k, nearer + k);
    }
    for (Index k = 0; k < count_; ++k) {
      // cppcheck-suppress uninitvar  ; count_below has written it
      const Index rank = nearer[k] + placed[nearer[k]]++;
      memory.keys[rank] = key[k];
      memory.distances[rank] = own[k];
    }
  }

  static constexpr Index few = 512;

  const std::int32_t* keys_ = nullptr;
  const S* distances_ = nullptr;
  Index count_ = 0;
  PositiveTrees<S> trees_{};
};

/// The memory of one thread, for one anchor's whole row at a time.
template <class S>
struct AnchorScratch {
  PositivesMemory<S> positives;
  S* role;                ///< of each key
  double* sums;           ///< as many as keys
  std::int32_t* changes;  ///< for HingeTriplets

  AnchorScratch(Scratch& scratch, Index n, Index changes_size)
      : positives(scratch, n),
        role(scratch.take<S>(n)),
        sums(scratch.take<double>(n)),
        changes(scratch.take<std::int32_t>(changes_size)) {}

  /// For whole rows of n keys, one for each of `threads`.
  static AnchorScratch* take(Scratch& scratch, int threads, Index n, Index changes_size) {
    auto* all = scratch.take<AnchorScratch>(threads);
    for (int t = 0; t < threads; ++t) new (all + t) AnchorScratch(scratch, n, changes_size);
    return all;
  }
};

/// The positives of anchor i among n keys with scores s; distances are -sign * s. Sets the roles of
/// all n keys.
template <class S>
SortedPositives<S> positives_of_row(const Roles<S>& roles, int sign, Index i, Index n, const S* s,
                                    double margin, AnchorScratch<S>& memory) {
  roles.of_anchor(i, n, memory.role);
  // Without branches, which cannot be predicted: each key is written, and positives are kept.
  Index count = 0;
  for (Index j = 0; j < n; ++j) {
    memory.positives.keys[count] = static_cast<std::int32_t>(j);
    count += memory.role[j] == Role<S>::positive ? 1 : 0;
  }
  const S to_distance = S(-sign);
  const auto distance = [s, to_distance](Index j) { return to_distance * s[j]; };
  return SortedPositives<S>(count, distance, margin, memory.positives);
}

}  // namespace nearfar::detail
