#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "nearfar/core/simd.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/mining/search_tree.hpp"
#include "nearfar/tiles/exclusions.hpp"
#include "nearfar/tiles/relation.hpp"

/// \file
/// One anchor's positives in order of distance, and the ranks of its negatives among them, which is
/// all that counting triplets takes.

namespace nearfar::detail {

/// What a key is to an anchor.
template <class S>
struct Role {
  static constexpr S positive = 1;
  static constexpr S negative = 0;
  static constexpr S nobody = -1;
};

/// Who is what to whom in one call.
template <class S>
struct Roles {
  const Relation<S>& relation;
  const Exclusions& exclusions;
  bool same_rows;  ///< queries and keys are the same rows: no row is its own pair

  /// The roles of all n keys to anchor i.
  void of_anchor(Index i, Index n, S* out) const {
    for (Index first = 0; first < n; first += stretch) {
      relation.match(i, first, std::min(stretch, n - first), out + first);
    }
    if (exclusions.any()) {
      exclusions.each(i, [&](Index j) { out[j] = Role<S>::nobody; });
    } else if (same_rows) {
      out[i] = Role<S>::nobody;
    }
  }
};

/// What an anchor's triplets come to.
struct AnchorTriplets {
  double value;         ///< sum of their losses
  std::int64_t terms;   ///< triplets that take part
  std::int64_t active;  ///< of these, with a loss above zero
  std::int64_t hard;    ///< of all triplets of the anchor, or of the one that it takes
  std::int64_t semihard;
  std::int64_t easy;
};

/// Memory of one thread for one anchor at a time.
template <class S>
struct AnchorScratch {
  S* role;                ///< of each key
  Index* keys;            ///< the positives, sorted
  S* distances;           ///< theirs
  S* tree;                ///< the same as a SearchTree
  double* sums;           ///< one more than keys
  std::int64_t* changes;  ///< four for each rank, from none to all positives

  AnchorScratch(Scratch& scratch, Index n)
      : role(scratch.take<S>(n)),
        keys(scratch.take<Index>(n + 1)),
        distances(scratch.take<S>(n)),
        tree(scratch.take<S>(SearchTree<S>::size(n))),
        sums(scratch.take<double>(n + 1)),
        changes(scratch.take<std::int64_t>(4 * (n + 1))) {}
};

/// An anchor's positives by distance, nearest first, ties by index; distances are sign * -score.
template <class S, int sign>
class SortedPositives {
 public:
  SortedPositives(const Roles<S>& roles, Index i, Index keys, const S* s, AnchorScratch<S>& memory)
      : role_(memory.role),
        keys_(memory.keys),
        distances_(memory.distances),
        count_(collect(roles, i, keys, memory)),
        tree_(sort(s, memory), count_, memory.tree) {}

  Index count() const { return count_; }
  bool is_negative(Index j) const { return role_[j] == Role<S>::negative; }
  const S* roles() const { return role_; }
  S distance(Index rank) const { return distances_[rank]; }
  Index key(Index rank) const { return keys_[rank]; }
  /// For the ranks of negatives.
  const SearchTree<S>& tree() const { return tree_; }

 private:
  static Index collect(const Roles<S>& roles, Index i, Index n, AnchorScratch<S>& memory) {
    roles.of_anchor(i, n, memory.role);
    // Without branches, which could not be foretold: each key is written, positives are kept.
    Index count = 0;
    for (Index j = 0; j < n; ++j) {
      memory.keys[count] = j;
      count += memory.role[j] == Role<S>::positive ? 1 : 0;
    }
    return count;
  }

  /// Sorts keys and sets their distances, which it returns.
  const S* sort(const S* s, AnchorScratch<S>& memory) const {
    const auto distance = [&](Index j) { return S(-sign) * s[j]; };
    if (count_ <= few) {
      sort_few(distance, memory);
      return memory.distances;
    }
    std::sort(memory.keys, memory.keys + count_, [&](Index a, Index b) {
      return distance(a) != distance(b) ? distance(a) < distance(b) : a < b;
    });
    for (Index r = 0; r < count_; ++r) memory.distances[r] = distance(memory.keys[r]);
    return memory.distances;
  }

  /// By the number of positives that are nearer: no comparison decides where to go on.
  template <class Distance>
  void sort_few(const Distance& distance, AnchorScratch<S>& memory) const {
    Index key[few];
    S own[few];
    std::int32_t nearer[few];
    std::int32_t placed[few];  // of those nearer by as many
    for (Index k = 0; k < count_; ++k) {
      key[k] = memory.keys[k];
      own[k] = distance(key[k]);
      placed[k] = 0;
    }
    std::fill(own + count_, own + tasks_of(count_, bounds_at_once) * bounds_at_once, S(0));
    for (Index k = 0; k < count_; k += bounds_at_once) {
      count_below(own, count_, own + k, nearer + k);
    }
    for (Index k = 0; k < count_; ++k) {
      const Index rank = nearer[k] + placed[nearer[k]]++;
      memory.keys[rank] = key[k];
      memory.distances[rank] = own[k];
    }
  }

  static constexpr Index few = 512;

  const S* role_;
  const Index* keys_;
  const S* distances_;
  Index count_;
  SearchTree<S> tree_;
};

/// Ranks of an anchor's positives by what triplet they form with one negative:
/// [0, easy) easy, [easy, semihard) semi-hard, [semihard, count) hard.
struct Ranks {
  Index easy;
  Index semihard;
};

/// The S after x, for finite x. (std::nextafter does the same by a call for each number.)
template <class S>
S next_up(S x) {
  using Bits = std::conditional_t<sizeof(S) == sizeof(float), std::int32_t, std::int64_t>;
  const Bits bits = std::bit_cast<Bits>(x + S(0));  // + 0: of the two zeros the positive one
  return std::bit_cast<S>(bits >= 0 ? bits + 1 : bits - 1);
}

/// Ranks for some keys in a row.
template <class S>
struct KeyRanks {
  static constexpr Index at_once = bounds_at_once;

  S distance[at_once];
  std::int32_t negative[at_once];   ///< all bits set for a negative, none for others
  std::int32_t easy[at_once];       ///< how many positives are nearer by more than the margin
  std::int32_t at_margin[at_once];  ///< by the margin or more
  std::int32_t semihard[at_once];   ///< nearer at all

  /// For keys first .. first + n - 1, n at most at_once; what is left over is no negative.
  template <int sign>
  void find(const SortedPositives<S, sign>& positives, double margin, Index first, Index n,
            const S* s) {
    const S* role = positives.roles() + first;
    S padded[at_once];
    if (n < at_once) {
      std::fill(std::copy(role, role + n, padded), padded + at_once, Role<S>::nobody);
      role = padded;
      std::fill(distance + n, distance + at_once, S(0));
    }
    each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      store(distance + k, constant<T>(-sign) * load<T>(s + first + k));
    });
    // The least S that is not below d - m, and the least above: x < d - m and x < the first say the
    // same of any S x, and so do x <= d - m and x < the second.
    S not_below[at_once];
    S above[at_once];
    std::int32_t exact = 0;
    for (Index k = 0; k < at_once; ++k) {
      negative[k] = role[k] == Role<S>::negative ? -1 : 0;
      const double bound = static_cast<double>(distance[k]) - margin;
      const S rounded = static_cast<S>(bound);
      const S next = next_up(rounded);
      not_below[k] = static_cast<double>(rounded) < bound ? next : rounded;
      above[k] = static_cast<double>(rounded) <= bound ? next : rounded;
      exact |= static_cast<double>(rounded) == bound ? 1 : 0;
    }
    positives.tree().ranks(not_below, easy);
    positives.tree().ranks(distance, semihard);
    if (exact != 0) {
      positives.tree().ranks(above, at_margin);
    } else {
      std::copy(easy, easy + at_once, at_margin);
    }
  }

  /// Adds the triplets of `count` positives with these keys.
  void add_to(AnchorTriplets& row, Index count) const {
    std::int64_t nearer = 0;
    std::int64_t nearer_by_margin = 0;
    std::int64_t negatives = 0;
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
template <class S, int sign, class Body>
void each_ranks(const SortedPositives<S, sign>& positives, double margin, Index n, const S* s,
                AnchorTriplets& row, const Body& body) {
  KeyRanks<S> ranks;
  for (Index first = 0; first < n; first += KeyRanks<S>::at_once) {
    const Index size = std::min(KeyRanks<S>::at_once, n - first);
    ranks.find(positives, margin, first, size, s);
    ranks.add_to(row, positives.count());
    body(first, size, std::as_const(ranks));
  }
}

/// The same with body(j, distance, ranks) for each of its negatives j.
template <class S, int sign, class Body>
void each_negative(const SortedPositives<S, sign>& positives, double margin, Index n, const S* s,
                   AnchorTriplets& row, const Body& body) {
  each_ranks(positives, margin, n, s, row, [&](Index first, Index size, const KeyRanks<S>& ranks) {
    for (Index k = 0; k < size; ++k) {
      if (ranks.negative[k] == 0) continue;
      body(first + k, static_cast<double>(ranks.distance[k]),
           Ranks{ranks.easy[k], ranks.semihard[k]});
    }
  });
}

}  // namespace nearfar::detail
