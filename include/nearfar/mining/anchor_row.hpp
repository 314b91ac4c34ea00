#pragma once

#include <algorithm>
#include <cstdint>

#include "nearfar/core/classes.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// One anchor's positives in order of distance, which is all that counting triplets takes.

namespace nearfar::detail {

/// Who is a positive, a negative or nobody to whom.
template <class S>
struct Relation {
  const S* query_code;  ///< class code of each query
  const S* key_code;    ///< and of each key
  bool same_rows;       ///< queries and keys are the same rows: no row is its own pair

  bool counts(Index i, Index j) const { return !same_rows || i != j; }
  bool positive(Index i, Index j) const { return query_code[i] == key_code[j]; }
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
  Positive* positives;
  double* sums;           ///< prefix sums of the sorted distances, one more than positives
  std::int64_t* changes;  ///< where the number of negatives that see a positive changes

  AnchorScratch(Scratch& scratch, Index keys)
      : positives(scratch.take<Positive>(keys)),
        sums(scratch.take<double>(keys + 1)),
        changes(scratch.take<std::int64_t>(keys + 1)) {}
};

/// An anchor's positives by distance, nearest first, ties by index; distances are sign * -score.
template <class S, int sign>
class SortedPositives {
 public:
  SortedPositives(const Relation<S>& relation, Index i, Index keys, const S* s,
                  AnchorScratch<S>& memory)
      : memory_(memory) {
    for (Index j = 0; j < keys; ++j) {
      if (relation.positive(i, j) && relation.counts(i, j)) {
        memory.positives[count_++] = {S(-sign) * s[j], j};
      }
    }
    std::sort(memory.positives, memory.positives + count_, [](const auto& a, const auto& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.key < b.key;
    });
  }

  Index count() const { return count_; }
  S distance(Index rank) const { return memory_.positives[rank].distance; }
  Index key(Index rank) const { return memory_.positives[rank].key; }

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

}  // namespace nearfar::detail
