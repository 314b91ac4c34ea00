#pragma once

#include "nearfar/loops/impl/look_up.hpp"
#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/triplets.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class S>
void count_below(const S* numbers, Index count, const S* bounds, std::int32_t* below) {
  using V = Vec<S>;
  // Several vectors together, so that none waits for its previous sum.
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

// ---- search trees ------------------------------------------------------------------------------

// Above this a level takes more look-ups than a search takes steps.
inline constexpr int most_levels = 9;

/// Calls body(levels) with the tree's number of levels as a constant, or -1 without tables. It is
/// the argument of tree_rank for this tree and for others of the same size.
template <int levels, class S, class Body>
NEARFAR_ALWAYS_INLINE void with_levels(const SearchTree<S>& tree, const Body& body) {
  if constexpr (!looks_up<S> || levels > most_levels) {
    body(Constant<-1>{});
  } else if (levels < tree.levels) {
    with_levels<levels + 1>(tree, body);
  } else {
    body(Constant<levels>{});
  }
}

/// The numbers of a table at the last `bits` bits of the positions.
template <int bits, class S>
NEARFAR_ALWAYS_INLINE Vec<S> look_up_bits(const S* table, Places<S> at) {
  if constexpr ((1 << bits) <= Places<S>::table) {
    return at.look_up(table);
  } else {
    return at.by_bit(bits - 1, look_up_bits<bits - 1>(table, at),
                     look_up_bits<bits - 1>(table + (1 << (bits - 1)), at));
  }
}

/// One step from a level to the next.
template <int level, class S>
NEARFAR_ALWAYS_INLINE Places<S> step_down(const SearchTree<S>& tree, Places<S> at, Vec<S> bound) {
  if constexpr (level == 0) {
    return at.below(Vec<S>::broadcast(tree.nodes[1]), bound);
  } else if constexpr ((2 << level) <= Places<S>::table) {
    // Levels that fit one table take one look-up.
    return at.below(at.look_up(tree.nodes), bound);
  } else {
    return at.below(look_up_bits<level>(tree.nodes + (1 << level), at), bound);
  }
}

template <int level, int levels, class S>
NEARFAR_ALWAYS_INLINE Places<S> go_down(const SearchTree<S>& tree, Places<S> at, Vec<S> bound) {
  if constexpr (level == levels) {
    return at;
  } else {
    return go_down<level + 1, levels>(tree, step_down<level>(tree, at, bound), bound);
  }
}

/// The number of the tree's numbers less than each of the bounds.
template <int levels, class S>
NEARFAR_ALWAYS_INLINE S tree_rank(const SearchTree<S>& tree, S bound) {
  return static_cast<S>(tree.rank(bound));
}
template <int levels, class S>
NEARFAR_ALWAYS_INLINE Vec<S> tree_rank(const SearchTree<S>& tree, Vec<S> bound) {
  if constexpr (levels >= 0) {
    return go_down<0, levels>(tree, Places<S>::first(), bound).less(1 << levels);
  } else {
    S each[Vec<S>::lanes];
    bound.store(each);
    for (S& v : each) v = static_cast<S>(tree.rank(v));
    return Vec<S>::load(each);
  }
}

/// The same in two trees for several vectors, level by level, so that their latencies overlap.
template <int levels, int group, class S>
NEARFAR_ALWAYS_INLINE void tree_ranks(const SearchTree<S>& a, const SearchTree<S>& b,
                                      const Vec<S> (&bounds)[group], Vec<S> (&of_a)[group],
                                      Vec<S> (&of_b)[group]) {
  if constexpr (levels >= 0) {
    Places<S> at_a[group];
    Places<S> at_b[group];
    for (int v = 0; v < group; ++v) at_a[v] = at_b[v] = Places<S>::first();
    unrolled<levels>([&](auto level) NEARFAR_LAMBDA_INLINE {
      unrolled<group>([&](auto v) NEARFAR_LAMBDA_INLINE {
        at_a[v] = step_down<level>(a, at_a[v], bounds[v]);
        at_b[v] = step_down<level>(b, at_b[v], bounds[v]);
      });
    });
    for (int v = 0; v < group; ++v) {
      of_a[v] = at_a[v].less(1 << levels);
      of_b[v] = at_b[v].less(1 << levels);
    }
  } else {
    for (int v = 0; v < group; ++v) {
      of_a[v] = tree_rank<levels>(a, bounds[v]);
      of_b[v] = tree_rank<levels>(b, bounds[v]);
    }
  }
}

template <int levels, class S>
NEARFAR_ALWAYS_INLINE void look_up_ranks(const SearchTree<S>& tree, const S* bounds,
                                         std::int32_t* out) {
  using V = Vec<S>;
  for (Index k = 0; k < bounds_at_once; k += V::lanes) {
    go_down<0, levels>(tree, Places<S>::first(), V::load(bounds + k)).store(out + k);
  }
  for (Index k = 0; k < bounds_at_once; ++k) out[k] -= 1 << levels;
}

template <class S>
void ranks_in_tree(const SearchTree<S>& tree, const S* bounds, std::int32_t* out) {
  const auto search = [&]() NEARFAR_LAMBDA_INLINE {
    for (Index k = 0; k < bounds_at_once; ++k) {
      out[k] = static_cast<std::int32_t>(tree.rank(bounds[k]));
    }
  };
  if constexpr (looks_up<S>) {
    with_levels<SearchTree<S>::least_levels>(
        tree, [&]<auto levels>(Constant<levels>) NEARFAR_LAMBDA_INLINE {
          if constexpr (levels >= 0) {
            look_up_ranks<levels>(tree, bounds, out);
          } else {
            search();
          }
        });
  } else if (tree.used == tree.levels && (Index(1) << tree.levels) <= 16 * Vec<S>::lanes) {
    count_below(tree.nodes + 1, (Index(1) << tree.levels) - 1, bounds, out);
  } else {
    search();
  }
}

template <class S>
RankSums key_ranks(const PositiveTrees<S>& positives, int sign, Index n, const S* role, const S* s,
                   KeyRanks<S>& out) {
  S padded_role[bounds_at_once];
  S padded_s[bounds_at_once];
  if (n < bounds_at_once) {
    for (Index k = 0; k < bounds_at_once; ++k) {
      padded_role[k] = k < n ? role[k] : Role<S>::nobody;
      padded_s[k] = k < n ? s[k] : S(0);
    }
    role = padded_role;
    s = padded_s;
  }
  using V = Vec<S>;
  for (Index k = 0; k < bounds_at_once; k += V::lanes) {
    (constant<V>(-sign) * V::load(s + k)).store(out.distance + k);
  }
  for (Index k = 0; k < bounds_at_once; ++k) {
    out.negative[k] = role[k] == Role<S>::negative ? -1 : 0;
  }
  ranks_in_tree(positives.nearer, out.distance, out.semihard);
  ranks_in_tree(positives.costless, out.distance, out.costless);
  if (positives.margin_is_met) {
    ranks_in_tree(positives.easy, out.distance, out.easy);
  } else {
    for (Index k = 0; k < bounds_at_once; ++k) out.easy[k] = out.costless[k];
  }
  RankSums sums{0, 0, 0};
  for (Index k = 0; k < bounds_at_once; ++k) {
    sums.easy += out.easy[k] & out.negative[k];
    sums.nearer += out.semihard[k] & out.negative[k];
    sums.negatives -= out.negative[k];
  }
  return sums;
}

// ---- hinges ------------------------------------------------------------------------------------

/// Ranks at which ranges begin, or end. They are noted first and counted later, many together,
/// because the vector of a rank is known long before its lanes are.
template <class S>
class RankChanges {
 public:
  NEARFAR_ALWAYS_INLINE RankChanges(std::int32_t* changes, std::int32_t by)
      : changes_(changes), by_(by) {}

  /// Notes a rank if low < high.
  template <class T>
  NEARFAR_ALWAYS_INLINE void add(T low, T high, T rank) {
    noted_ += pick(low, high, rank, ranks_ + noted_);
  }

  NEARFAR_ALWAYS_INLINE void count_most() {
    constexpr int together = 16;
    for (; counted_ + together <= noted_; counted_ += together) {
      unrolled<together>([&](auto k)
                             NEARFAR_LAMBDA_INLINE { changes_[ranks_[counted_ + k]] += by_; });
    }
  }

  NEARFAR_ALWAYS_INLINE void count_all() {
    for (; counted_ < noted_; ++counted_) changes_[ranks_[counted_]] += by_;
  }

 private:
  std::int32_t* changes_;
  std::int32_t by_;
  Index noted_ = 0;
  Index counted_ = 0;
  std::int32_t ranks_[hinge_keys_at_once + Vec<S>::lanes];
};

/// The ranks of positives with a cost for a key, if from < to.
template <class T>
struct CostlyRanks {
  T from;
  T to;
};

// A positive exactly a margin nearer costs nothing.
template <class T>
NEARFAR_ALWAYS_INLINE CostlyRanks<T> costly_ranks(HingeKind kind, T count, T semihard, T costless,
                                                  T easy) {
  switch (kind) {
    case HingeKind::hard:
      return {max(costless, semihard), count};
    case HingeKind::semihard:
      return {costless, semihard};
    case HingeKind::easy:
      return {costless, easy};
    default:
      return {costless, count};
  }
}

typedef float HalfOfFloats __attribute__((vector_size(vector_bytes / 2)));

/// Lanes first, first + 1, ... of floats in double.
template <int first, int... l>
NEARFAR_ALWAYS_INLINE Vec<double> half_in_double(Vec<float> v, std::integer_sequence<int, l...>) {
  const HalfOfFloats half = __builtin_shufflevector(v.p, v.p, (first + l)...);
  return {__builtin_convertvector(half, Registers<double>::Packet)};
}

/// Adds active triplets times (reference - distance) of negatives to a sum in double, where
/// differences of floats, and integers times these, have all their digits. After the subtraction of
/// the positives' sum the result may be as small as a margin.
NEARFAR_ALWAYS_INLINE void add_cost(double size, double reference, double distance,
                                    ElementSum<double>& sum) {
  // For negatives without a cost the difference may be infinite.
  sum.add(size, select_less(0.0, size, reference - distance, 0.0));
}
NEARFAR_ALWAYS_INLINE void add_cost(Vec<double> size, double reference, Vec<double> distance,
                                    ElementSum<double>& sum) {
  const Vec<double> zero = Vec<double>::zero();
  sum.add(size, select_less(zero, size, Vec<double>::broadcast(reference) - distance, zero));
}
NEARFAR_ALWAYS_INLINE void add_cost(float size, double reference, float distance,
                                    ElementSum<double>& sum) {
  sum.add(static_cast<double>(size), reference - static_cast<double>(distance));
}
NEARFAR_ALWAYS_INLINE void add_cost(Vec<float> size, double reference, Vec<float> distance,
                                    ElementSum<double>& sum) {
  constexpr int half = Vec<double>::lanes;
  const auto add_half = [&](auto first) NEARFAR_LAMBDA_INLINE {
    constexpr std::make_integer_sequence<int, half> lanes{};
    sum.add(half_in_double<first>(size, lanes),
            Vec<double>::broadcast(reference) - half_in_double<first>(distance, lanes));
  };
  add_half(Constant<0>{});
  add_half(Constant<half>{});
}

template <int group, class S>
NEARFAR_ALWAYS_INLINE S smallest_of(const Vec<S> (&v)[group]) {
  Vec<S> least = v[0];
  for (int k = 1; k < group; ++k) least = min(least, v[k]);
  return least.smallest();
}

template <int levels, class S>
HingeSums hinge_with_levels(const HingeRun<S>& run, S unit, const NegativeMask<S>& negatives,
                            Index n, const S* s, S* g) {
  using V = Vec<S>;
  // Copies, so that the compiler knows that no write changes them.
  const PositiveTrees<S> positives = *run.positives;
  const NegativeMask<S> mask = negatives;
  const HingeKind kind = run.kind;
  const S count = run.count;
  const S reference = run.reference;
  const auto in_double = static_cast<double>(reference);
  const S to_distance = S(-run.sign);
  // All ranges end with the last rank, except those of semi-hard triplets. Those of easy triplets
  // would not, but easy triplets cost nothing and have none.
  const bool ends_vary = kind == HingeKind::semihard;
  const S where_equal = mask.equal ? S(1) : S(0);
  const S elsewhere = S(1) - where_equal;
  ElementSum<S> nearer;
  ElementSum<S> easy_ones;
  ElementSum<S> active;
  ElementSum<double> value;
  RankChanges<S> begins(run.changes, 1);
  RankChanges<S> ends(run.changes, -1);
  const auto fold = [&](Index k, auto distance, auto semihard,
                        auto costless) NEARFAR_LAMBDA_INLINE {
    using T = decltype(distance);
    const T zero = constant<T>(0);
    const T negative = select_equal(load<T>(mask.key + k), spread<T>(mask.own),
                                    spread<T>(where_equal), spread<T>(elsewhere));
    const T easy = positives.margin_is_met ? tree_rank<levels>(positives.easy, distance) : costless;
    nearer.add(semihard, negative);
    easy_ones.add(easy, negative);
    const CostlyRanks<T> range = costly_ranks(kind, spread<T>(count), semihard, costless, easy);
    const T size = max(range.to - range.from, zero) * negative;
    active += size;
    add_cost(size, in_double, distance, value);
    if (g != nullptr) store(g + k, size * spread<T>(unit));
    begins.add(zero, min(size, range.from), range.from);
    // Empty ranges neither begin nor end.
    if (ends_vary) ends.add(zero, min(size, spread<T>(count) - range.to), range.to);
  };
  constexpr int group = 3;  // of 16 they are 48: the heights of row panels are multiples of it
  Index k = 0;
  for (; k + group * V::lanes <= n; k += group * V::lanes) {
    V distance[group];
    V semihard[group];
    V costless[group];
    for (int v = 0; v < group; ++v) {
      distance[v] = V::broadcast(to_distance) * V::load(s + k + v * V::lanes);
    }
    if (smallest_of(distance) > reference) {  // beyond all positives and their margin
      for (int v = 0; v < group; ++v) semihard[v] = costless[v] = V::broadcast(count);
    } else {
      tree_ranks<levels>(positives.nearer, positives.costless, distance, semihard, costless);
    }
    // Counts the earlier ranks in the meantime.
    begins.count_most();
    if (ends_vary) ends.count_most();
    for (int v = 0; v < group; ++v) {
      fold(k + v * V::lanes, distance[v], semihard[v], costless[v]);
    }
  }
  each_element<S>(n - k, [&]<class T>(Index rest) NEARFAR_LAMBDA_INLINE {
    const T distance = spread<T>(to_distance) * load<T>(s + k + rest);
    fold(k + rest, distance, tree_rank<levels>(positives.nearer, distance),
         tree_rank<levels>(positives.costless, distance));
  });
  begins.count_all();
  ends.count_all();
  return {nearer.total(), easy_ones.total(), active.total(), value.total()};
}

template <class S>
HingeSums hinge_of_negatives(const HingeRun<S>& run, S unit, const NegativeMask<S>& negatives,
                             Index n, const S* s, S* g) {
  HingeSums sums;
  const SearchTree<S>& tree = run.positives->nearer;
  with_levels<SearchTree<S>::least_levels>(
      tree, [&]<auto levels>(Constant<levels>) NEARFAR_LAMBDA_INLINE {
        sums = hinge_with_levels<levels>(run, unit, negatives, n, s, g);
      });
  return sums;
}

// ---- one triplet an anchor ---------------------------------------------------------------------

template <class S>
KeyMerits<S> best_merits(Index n, const S* s, const PositiveMask<S>& positives,
                         const KeyMerits<S>& factors, const KeyMerits<S>& limits) {
  ElementMax<S> positive;
  ElementMax<S> negative;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T none = spread<T>(-infinity<S>);
    const T as_positive = load<T>(s + k) * spread<T>(factors.positive);
    const T as_negative = load<T>(s + k) * spread<T>(factors.negative);
    const T suits_positive =
        select_less(as_positive, spread<T>(limits.positive), as_positive, none);
    const T suits_negative =
        select_less(as_negative, spread<T>(limits.negative), as_negative, none);
    positive.see(if_positive(positives, k, suits_positive, none));
    negative.see(if_negative(positives, k, suits_negative, none));
  });
  return {positive.value(), negative.value()};
}

template <class S>
inline constexpr TripletLoops<S> triplet_loops_here = {
    .count_below = &count_below<S>,
    .ranks = &ranks_in_tree<S>,
    .key_ranks = &key_ranks<S>,
    .hinge = &hinge_of_negatives<S>,
    .best_merits = &best_merits<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const TripletLoops<S>& triplet_loops() {
  return triplet_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
