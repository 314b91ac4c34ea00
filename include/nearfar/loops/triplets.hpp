#pragma once

#include <cstdint>

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of triplet mining: ranks of keys among an anchor's sorted positives, hinge losses of
/// the ranges of positives with these ranks as bounds, and the best positive and negative of a part
/// of a row.

namespace nearfar::detail {

/// The role of a key for an anchor.
template <class S>
struct Role {
  static constexpr S positive = 1;
  static constexpr S negative = 0;
  static constexpr S nobody = -1;
};

/// Number of bounds whose ranks are found at once.
inline constexpr Index bounds_at_once = 64;

/// Sorted numbers as a heap of 2^levels - 1 nodes: the children of node k are 2 k and 2 k + 1, with
/// smaller numbers on the left. A search goes down one level for each bit of the rank, without a
/// branch. The upper levels are small enough to be tables in registers, for a vector of bounds at a
/// time. The numbers are the leftmost subtree of `used` levels; the other nodes are infinite.
/// Memory and levels are the same for every instruction set, so that its look-ups stay inside the
/// memory.
template <class S>
struct SearchTree {
  static constexpr int least_levels = 5;
  static constexpr Index least_size = Index(1) << least_levels;

  const S* nodes = nullptr;
  int levels = least_levels;
  int used = 0;

  /// The number of numbers less than the bound.
  NEARFAR_ALWAYS_INLINE Index rank(S bound) const {
    Index at = Index(1) << (levels - used);
    for (int level = 0; level < used; ++level) at = 2 * at + (nodes[at] < bound ? 1 : 0);
    return at - (Index(1) << levels);
  }
};

/// Trees of an anchor's positives p at distances d_p, all of the same number of levels. For a
/// negative at distance d they count the positives with ...
template <class S>
struct PositiveTrees {
  SearchTree<S> nearer;    ///< ... d_p < d
  SearchTree<S> costless;  ///< ... d_p + margin <= d, which cost nothing
  SearchTree<S> easy;      ///< ... d_p + margin < d
  bool margin_is_met;      ///< true if the last two can differ: d_p + margin is an S
};

/// Ranks of some keys among an anchor's positives.
template <class S>
struct KeyRanks {
  S distance[bounds_at_once];
  std::int32_t negative[bounds_at_once];  ///< all bits set for a negative, 0 for others
  std::int32_t costless[bounds_at_once];  ///< number of positives nearer by the margin or more
  std::int32_t easy[bounds_at_once];      ///< by more than the margin
  std::int32_t semihard[bounds_at_once];  ///< nearer at all
};

/// Sums over the negatives among some keys.
struct RankSums {
  std::int32_t negatives;
  std::int32_t nearer;  ///< positives nearer than each
  std::int32_t easy;    ///< positives nearer by more than the margin
};

/// Mask of an anchor's negatives: key k is one if key[k] equals own, or, unless `equal`, if it does
/// not.
template <class S>
struct NegativeMask {
  S own;
  const S* key;
  bool equal;
};

/// Number of keys that a HingeRun takes at once.
inline constexpr Index hinge_keys_at_once = 384;

/// The triplets that count: all of a kind.
enum class HingeKind { all, hard, semihard, easy };

/// The data of an anchor for the comparison of its negatives with its positives.
template <class S>
struct HingeRun {
  const PositiveTrees<S>* positives;
  S count;      ///< of the positives
  S reference;  ///< upper bound of the distances of negatives with a cost
  int sign;     ///< of nearness: a distance is -sign * score
  HingeKind kind;
  /// For each rank the number of ranges of positives that begin there, less those that end.
  std::int32_t* changes;
};

/// Contributions of a run of negatives to an anchor's triplets: integers, and the value.
struct HingeSums {
  double nearer;  ///< positives nearer than each negative
  double easy;
  double active;
  double value;  ///< sum of active triplets times (reference - the negative's distance)
};

/// One number for positives and one for negatives.
template <class S>
struct KeyMerits {
  S positive;
  S negative;
};

template <class S>
struct TripletLoops {
  /// Sets below[k] to the number of `count` numbers less than bounds[k], k < bounds_at_once.
  /// Compares each with each, which is faster than a search for up to a few hundred. `count` is at
  /// most 2^24.
  void (*count_below)(const S* numbers, Index count, const S* bounds, std::int32_t* below);
  /// The number of the tree's numbers less than each of bounds_at_once bounds.
  void (*ranks)(const SearchTree<S>& tree, const S* bounds, std::int32_t* out);
  /// Ranks of n keys, at most bounds_at_once, of these roles and scores. The rest of `out` is set
  /// to non-negatives.
  RankSums (*key_ranks)(const PositiveTrees<S>& positives, int sign, Index n, const S* role,
                        const S* s, KeyRanks<S>& out);
  /// Hinge losses of the negatives among n keys, at most hinge_keys_at_once. Unless g is null, sets
  /// it to each negative's active triplets times `unit`, 0 for others. Counts ranges of active
  /// positives in run.changes, except those that begin at rank 0.
  HingeSums (*hinge)(const HingeRun<S>& run, S unit, const NegativeMask<S>& negatives, Index n,
                     const S* s, S* g);
  /// The largest merit, which is a score times its kind's factor, of the positives and of the
  /// negatives among n keys, of merits below their kind's limit; -infinity if there are none.
  KeyMerits<S> (*best_merits)(Index n, const S* s, const PositiveMask<S>& positives,
                              const KeyMerits<S>& factors, const KeyMerits<S>& limits);
};

template <class S>
const TripletLoops<S>& triplet_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/triplets.hpp"
#endif
