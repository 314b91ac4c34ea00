#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "nearfar/core/look_up.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/tiles/register_block.hpp"

/// \file
/// How many of some numbers are below each of many bounds.

namespace nearfar::detail {

/// Bounds that are looked for at once.
inline constexpr Index bounds_at_once = 64;

/// below[k] = how many of `count` numbers are less than bounds[k], k < bounds_at_once: each with
/// each, which for some hundred is sooner done than any search. `count` at most 2^24.
template <class S>
void count_below(const S* numbers, Index count, const S* bounds, std::int32_t* below) {
  using V = Vec<S>;
  // Some vectors together, so that none waits for its last sum.
  constexpr Index group = 4;
  static_assert(bounds_at_once % (group * V::lanes) == 0);
  S sums[bounds_at_once];
  for (Index k = 0; k < bounds_at_once; k += group * V::lanes) {
    V bound[group];
    V sum[group];
    for (Index v = 0; v < group; ++v) {
      bound[v] = V::load(bounds + k + v * V::lanes);
      sum[v] = V::zero();
    }
    for (Index r = 0; r < count; ++r) {
      const V number = V::broadcast(numbers[r]);
      for (Index v = 0; v < group; ++v) sum[v] = sum[v] + one_if_less(number, bound[v]);
    }
    for (Index v = 0; v < group; ++v) sum[v].store(sums + k + v * V::lanes);
  }
  for (Index k = 0; k < bounds_at_once; ++k) below[k] = static_cast<std::int32_t>(sums[k]);
}

/// Sorted numbers as a heap: the children of number k are 2 k and 2 k + 1, all that is less to the
/// left. A search goes down one level for each bit of the rank, without a branch, and the upper
/// levels are small enough to be looked up in registers, for a vector of bounds at a time.
template <class S>
class SearchTree {
 public:
  /// Memory for trees of up to `count` numbers.
  static Index size(Index count) {
    return std::max(smallest,
                    static_cast<Index>(std::bit_ceil(static_cast<std::size_t>(count) + 1)));
  }

  SearchTree() = default;

  /// Of `count` numbers in order, number(0) <= number(1) <= ..., in `memory`, which must outlive
  /// the tree.
  template <class Number>
  SearchTree(Index count, S* memory, const Number& number)
      : nodes_(memory), levels_(levels_for(count)) {
    std::fill_n(memory, size(count), std::numeric_limits<S>::infinity());
    for (int level = 0; level < levels_; ++level) {
      const Index step = Index(1) << (levels_ - level);
      S* to = memory + (Index(1) << level);
      for (Index rank = step / 2 - 1; rank < count; rank += step) *to++ = number(rank);
    }
  }

  /// How many numbers are less than each of bounds_at_once bounds.
  void ranks(const S* bounds, std::int32_t* out) const {
    if constexpr (looks_up<S>) {
      if (levels_ <= most_levels) {
        descend<0>(bounds, out);
      } else {
        search(bounds, out);
      }
    } else if ((Index(1) << levels_) <= 16 * Vec<S>::lanes) {
      count_below(nodes_ + 1, (Index(1) << levels_) - 1, bounds, out);
    } else {
      search(bounds, out);
    }
  }

  /// body(levels) with the tree's number of levels as a constant, at most a few more than it has,
  /// or -1 where it is not looked up; for rank() of this tree and of others of as many numbers.
  template <class Body>
  void with_levels(const Body& body) const {
    if constexpr (looks_up<S>) {
      with_levels<least_levels>(body);
    } else {
      body(std::integral_constant<int, -1>{});
    }
  }

  /// How many numbers are less than each of the bounds.
  template <int levels>
  NEARFAR_ALWAYS_INLINE Vec<S> rank(Vec<S> bound) const {
    if constexpr (levels >= 0) {
      return go_down<0, levels>(Places<S>::first(), bound).less(1 << levels);
    } else {
      S each[Vec<S>::lanes];
      bound.store(each);
      for (S& v : each) v = rank<levels>(v);
      return Vec<S>::load(each);
    }
  }
  /// The same in two trees for some vectors, level by level: each waits for its own last level, and
  /// meanwhile the others go on.
  template <int levels, int group>
  static NEARFAR_ALWAYS_INLINE void ranks(const SearchTree& a, const SearchTree& b,
                                          const Vec<S> (&bounds)[group], Vec<S> (&of_a)[group],
                                          Vec<S> (&of_b)[group]) {
    if constexpr (levels >= 0) {
      Places<S> at_a[group];
      Places<S> at_b[group];
      for (int v = 0; v < group; ++v) at_a[v] = at_b[v] = Places<S>::first();
      unrolled<levels>([&](auto level) NEARFAR_LAMBDA_INLINE {
        unrolled<group>([&](auto v) NEARFAR_LAMBDA_INLINE {
          at_a[v] = a.template step<level>(at_a[v], bounds[v]);
          at_b[v] = b.template step<level>(at_b[v], bounds[v]);
        });
      });
      for (int v = 0; v < group; ++v) {
        of_a[v] = at_a[v].less(1 << levels);
        of_b[v] = at_b[v].less(1 << levels);
      }
    } else {
      for (int v = 0; v < group; ++v) {
        of_a[v] = a.template rank<levels>(bounds[v]);
        of_b[v] = b.template rank<levels>(bounds[v]);
      }
    }
  }
  template <int levels>
  S rank(S bound) const {
    Index at = 1;
    for (int level = 0; level < levels_; ++level) at = 2 * at + (nodes_[at] < bound ? 1 : 0);
    return static_cast<S>(at - (Index(1) << levels_));
  }

 private:
  template <int levels, class Body>
  NEARFAR_ALWAYS_INLINE void with_levels(const Body& body) const {
    if constexpr (levels > most_levels) {
      body(std::integral_constant<int, -1>{});
    } else if (levels < levels_) {
      with_levels<levels + 1>(body);
    } else {
      body(std::integral_constant<int, levels>{});
    }
  }

  // What a look-up in the first levels reads.
  static constexpr Index smallest = 32;
  // Fewer are not worth code of their own.
  static constexpr int least_levels = 5;
  // Beyond, a level takes more look-ups than a search takes steps.
  static constexpr int most_levels = 9;

  void search(const S* bounds, std::int32_t* out) const {
    const Index leaves = Index(1) << levels_;
    for (Index k = 0; k < bounds_at_once; ++k) {
      Index at = 1;
      for (int level = 0; level < levels_; ++level) {
        at = 2 * at + (nodes_[at] < bounds[k] ? 1 : 0);
      }
      out[k] = static_cast<std::int32_t>(at - leaves);
    }
  }

  /// With a number of levels that the compiler knows: `levels`, or more as there are.
  template <int levels>
  void descend(const S* bounds, std::int32_t* out) const {
    if constexpr (levels < most_levels) {
      if (levels < levels_) return descend<levels + 1>(bounds, out);
    }
    using V = Vec<S>;
    for (Index k = 0; k < bounds_at_once; k += V::lanes) {
      go_down<0, levels>(Places<S>::first(), V::load(bounds + k)).store(out + k);
    }
    for (Index k = 0; k < bounds_at_once; ++k) out[k] -= 1 << levels;
  }

  template <int level, int levels>
  NEARFAR_ALWAYS_INLINE Places<S> go_down(Places<S> at, Vec<S> bound) const {
    if constexpr (level == levels) {
      return at;
    } else {
      return go_down<level + 1, levels>(step<level>(at, bound), bound);
    }
  }

  /// From a level to the next.
  template <int level>
  NEARFAR_ALWAYS_INLINE Places<S> step(Places<S> at, Vec<S> bound) const {
    if constexpr (level == 0) return at.below(Vec<S>::broadcast(nodes_[1]), bound);
    // Levels that fit a table together are looked up in one.
    constexpr int nodes = 1 << level;
    const Vec<S> node =
        2 * nodes <= Places<S>::table ? at.look_up(nodes_) : look_up<level>(nodes_ + nodes, at);
    return at.below(node, bound);
  }

  /// The numbers at the places' last `bits` bits of a table.
  template <int bits>
  static NEARFAR_ALWAYS_INLINE Vec<S> look_up(const S* table, Places<S> at) {
    if constexpr ((1 << bits) <= Places<S>::table) {
      return at.look_up(table);
    } else {
      return at.by_bit(bits - 1, look_up<bits - 1>(table, at),
                       look_up<bits - 1>(table + (1 << (bits - 1)), at));
    }
  }

  static int levels_for(Index count) {
    const auto levels = static_cast<int>(std::bit_width(static_cast<std::size_t>(count)));
    if constexpr (looks_up<S>) return std::max(levels, least_levels);
    return levels;
  }

  const S* nodes_ = nullptr;
  int levels_ = 0;
};

}  // namespace nearfar::detail
