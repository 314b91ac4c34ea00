#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "nearfar/core/simd.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/tiles/exclusions.hpp"
#include "nearfar/tiles/relation.hpp"

/// \file
/// One anchor's positives in order of distance, which is all that counting triplets takes.

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
  std::int64_t hard;    ///< of all triplets of the anchor
  std::int64_t semihard;
  std::int64_t easy;
  Index positive;  ///< with one triplet an anchor: its rows; -1 when there is none
  Index negative;
};

/// Memory of one thread for one anchor at a time.
template <class S>
struct AnchorScratch {
  struct Positive {
    S distance;
    Index key;
  };
  S* role;  ///< of each key
  Positive* positives;
  double* sums;           ///< prefix sums of the sorted distances, one more than positives
  std::int64_t* changes;  ///< where the number of negatives that see a positive changes

  AnchorScratch(Scratch& scratch, Index keys)
      : role(scratch.take<S>(keys)),
        positives(scratch.take<Positive>(keys)),
        sums(scratch.take<double>(keys + 1)),
        changes(scratch.take<std::int64_t>(keys + 1)) {}
};

/// An anchor's positives by distance, nearest first, ties by index; distances are sign * -score.
template <class S, int sign>
class SortedPositives {
 public:
  SortedPositives(const Roles<S>& roles, Index i, Index keys, const S* s, AnchorScratch<S>& memory)
      : memory_(memory) {
    roles.of_anchor(i, keys, memory.role);
    for (Index j = 0; j < keys; ++j) {
      if (memory.role[j] == Role<S>::positive) memory.positives[count_++] = {S(-sign) * s[j], j};
    }
    std::sort(memory.positives, memory.positives + count_, [](const auto& a, const auto& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.key < b.key;
    });
  }

  Index count() const { return count_; }
  bool is_positive(Index j) const { return memory_.role[j] == Role<S>::positive; }
  bool is_negative(Index j) const { return memory_.role[j] == Role<S>::negative; }
  S distance(Index rank) const { return memory_.positives[rank].distance; }
  Index key(Index rank) const { return memory_.positives[rank].key; }

  /// Numbers of positives nearer than each of n bounds, n at most `at_once`. Some hundred positives
  /// are compared one after another with as many bounds as a vector holds sooner than bounds are
  /// searched for one by one.
  void nearer_than(const S* bounds, Index n, Index* ranks) const {
    if (count_ > 32 * Vec<S>::lanes) {
      for (Index k = 0; k < n; ++k) ranks[k] = nearer_than(static_cast<double>(bounds[k]));
      return;
    }
    S nearer[at_once];
    each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      const T bound = load<T>(bounds + k);
      T sum = constant<T>(0);
      for (Index r = 0; r < count_; ++r) sum = sum + one_if_less(spread<T>(distance(r)), bound);
      store(nearer + k, sum);
    });
    for (Index k = 0; k < n; ++k) ranks[k] = static_cast<Index>(nearer[k]);
  }
  static constexpr Index at_once = 64;

  /// Number of positives nearer than `bound`.
  Index nearer_than(double bound) const {
    return search([bound](double d) { return d < bound; });
  }
  /// Number of positives nearer than `bound` or as near.
  Index not_farther_than(double bound) const {
    return search([bound](double d) { return d <= bound; });
  }

 private:
  // Halving without branches: which way it goes cannot be foretold.
  template <class Before>
  Index search(const Before& before) const {
    const auto* base = memory_.positives;
    Index left = count_;
    while (left > 1) {
      const Index half = left / 2;
      base += before(static_cast<double>(base[half - 1].distance)) ? half : 0;
      left -= half;
    }
    const Index at = base - memory_.positives;
    return left == 1 && before(static_cast<double>(base->distance)) ? at + 1 : at;
  }

  AnchorScratch<S>& memory_;
  Index count_ = 0;
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

/// The least S that is not below v: x < v and x < least_not_below(v) say the same of any S x.
template <class S>
S least_not_below(double v) {
  const S rounded = static_cast<S>(v);
  return static_cast<double>(rounded) < v ? next_up(rounded) : rounded;
}

/// Counts all triplets of an anchor, and calls body(j, distance, ranks) for each of its negatives
/// j, in order.
template <class S, int sign, class Body>
void each_negative(const SortedPositives<S, sign>& positives, double margin, Index n, const S* s,
                   AnchorTriplets& row, const Body& body) {
  constexpr Index at_once = SortedPositives<S, sign>::at_once;
  S distances[at_once];
  S margins[at_once];
  Index easy[at_once];
  Index semihard[at_once];
  for (Index first = 0; first < n; first += at_once) {
    const Index size = std::min(at_once, n - first);
    for (Index k = 0; k < size; ++k) {
      distances[k] = S(-sign) * s[first + k];
      margins[k] = least_not_below<S>(static_cast<double>(distances[k]) - margin);
    }
    positives.nearer_than(margins, size, easy);
    positives.nearer_than(distances, size, semihard);
    for (Index k = 0; k < size; ++k) {
      const Index j = first + k;
      if (!positives.is_negative(j)) continue;
      row.easy += easy[k];
      row.semihard += semihard[k] - easy[k];
      row.hard += positives.count() - semihard[k];
      body(j, static_cast<double>(distances[k]), Ranks{easy[k], semihard[k]});
    }
  }
}

}  // namespace nearfar::detail
