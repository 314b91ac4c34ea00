#pragma once

#include <cmath>
#include <numeric>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/mining/anchor_row.hpp"
#include "nearfar/mining/mining.hpp"

/// \file
/// The hinge losses of every triplet of a kind, without a list of them. The positives that form
/// such a triplet with one negative are a range of ranks. How many negatives each positive meets,
/// which is its weight and how often its distance counts, follows from where ranges begin and end.
/// O(log P) a negative.

namespace nearfar::detail {

/// The triplets of one anchor that were seen so far.
template <class S>
struct HingeAnchor {
  SortedPositives<S> positives;
  std::int32_t* changes;  ///< how many ranges begin, less those that end, at each rank but 0
  S reference;            ///< a distance that no negative with a cost is beyond
  AnchorTriplets sums;
};

/// Which of some keys are an anchor's negatives, by their roles.
template <class S>
struct NegativeRoles {
  const S* role;

  template <class T>
  NEARFAR_ALWAYS_INLINE T if_negative(Index k, T then, T otherwise) const {
    return select_equal(load<T>(role + k), constant<T>(Role<S>::negative), then, otherwise);
  }
};

/// What hinges over all triplets of a kind make of an anchor's negatives, in any order.
template <class S, int sign>
class HingeTriplets {
 public:
  HingeTriplets(Mining mining, double margin) : mining_(mining), margin_(margin) {}

  /// Numbers that HingeAnchor::changes has for up to n positives.
  static Index changes_size(Index n) { return n + 1; }

  /// An anchor that will see this many negatives.
  HingeAnchor<S> start(const SortedPositives<S>& positives, Index negatives,
                       std::int32_t* changes) const {
    const Index count = positives.count();
    std::fill_n(changes, changes_size(count), 0);
    const double farthest = count > 0 ? static_cast<double>(positives.distance(count - 1)) : 0;
    // Hard are those that will not be found to be anything else.
    return {
        positives, changes, saturated<S>(farthest + margin_), {0, 0, 0, negatives * count, 0, 0}};
  }

  /// Folds in n keys with scores s, of which `keys` tells negatives from others, and writes, unless
  /// g is null, the negatives' dL/ds, 0 for others, for dL/d(loss) = upstream.
  template <class Keys>
  void see(HingeAnchor<S>& anchor, double upstream, const Keys& keys, Index n, const S* s,
           S* g) const {
    const S unit = saturated<S>(sign * upstream);
    anchor.positives.nearer().with_levels(
        [&](auto levels) NEARFAR_LAMBDA_INLINE { see<levels>(anchor, unit, keys, n, s, g); });
  }

  /// After the last key: the anchor's triplets. Calls body(key, times) for each positive with the
  /// number of triplets that pull at it.
  template <class Body>
  AnchorTriplets finish(const HingeAnchor<S>& anchor, const Body& body) const {
    const SortedPositives<S>& positives = anchor.positives;
    AnchorTriplets sums = anchor.sums;
    sums.terms = terms(sums);
    // Each rank is in as many ranges as begin at 0, which all active triplets tell, and as begin
    // after that and have not ended.
    std::int64_t later = 0;
    std::int64_t from_first = sums.active;
    for (Index r = 0; r < positives.count(); ++r) {
      later += anchor.changes[r];
      from_first -= later;
    }
    std::int64_t ranges = from_first / std::max<Index>(positives.count(), 1);
    for (Index r = 0; r < positives.count(); ++r) {
      ranges += anchor.changes[r];
      const auto times = static_cast<double>(ranges);
      sums.value -= times * (static_cast<double>(anchor.reference) - margin_ -
                             static_cast<double>(positives.distance(r)));
      body(positives.key(r), times);
    }
    // Cancellation in the sums must not leave a loss below zero.
    sums.value = std::max(sums.value, 0.0);
    return sums;
  }

 private:
  /// Keys whose ranks are added up in S, exactly (up to 2^20 positives).
  static Index run_length(Index count) {
    constexpr Index exact = Index(1) << 24;
    return std::clamp(round_down(exact / std::max<Index>(count, 1), Index(Vec<S>::lanes)),
                      Index(Vec<S>::lanes), stretch);
  }

  /// All others end with the last rank, but easy ones, which cost nothing and so are in no range.
  bool ends_vary() const { return mining_ == Mining::semihard; }

  template <int levels, class Keys>
  void see(HingeAnchor<S>& anchor, S unit, const Keys& keys, Index n, const S* s, S* g) const {
    const Index run = run_length(anchor.positives.count());
    for (Index first = 0; first < n; first += run) {
      see_run<levels>(anchor, unit, keys, first, std::min(run, n - first), s, g);
    }
  }

  /// What a run of keys adds.
  struct Sums {
    ElementSum<S> nearer;  ///< positives nearer than the key
    ElementSum<S> easy;
    ElementSum<S> active;
    ElementSum<S> value;
  };

  /// Ranks at which ranges begin, or end: noted first and counted later, many together, for a rank
  /// is known long after it was asked for.
  class Changes {
   public:
    Changes(std::int32_t* changes, std::int32_t by) : changes_(changes), by_(by) {}

    /// Notes a rank where low < high.
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

    void count_all() {
      for (; counted_ < noted_; ++counted_) changes_[ranks_[counted_]] += by_;
    }

   private:
    std::int32_t* changes_;
    std::int32_t by_;
    Index noted_ = 0;
    Index counted_ = 0;
    std::int32_t ranks_[stretch + Vec<S>::lanes];
  };

  template <int group>
  static NEARFAR_ALWAYS_INLINE S smallest_of(const Vec<S> (&v)[group]) {
    Vec<S> least = v[0];
    for (int k = 1; k < group; ++k) least = min(least, v[k]);
    return least.smallest();
  }

  /// The ranks of positives that cost something with a key, if from < to.
  template <class T>
  struct Costly {
    T from;
    T to;
  };

  // A positive exactly a margin nearer costs nothing.
  template <class T>
  NEARFAR_ALWAYS_INLINE Costly<T> costly(T count, T semihard, T costless, T easy) const {
    switch (mining_) {
      case Mining::hard:
        return {max(costless, semihard), count};
      case Mining::semihard:
        return {costless, semihard};
      case Mining::easy:
        return {costless, easy};
      default:
        return {costless, count};
    }
  }

  template <int levels, class T>
  static NEARFAR_ALWAYS_INLINE T easy_rank(const SortedPositives<S>& positives, T distance,
                                           T costless) {
    return positives.margin_is_met() ? positives.easy().template rank<levels>(distance) : costless;
  }

  template <class T>
  static NEARFAR_ALWAYS_INLINE T distance_of(const S* score) {
    return constant<T>(-sign) * load<T>(score);
  }

  template <int levels, class Keys>
  void see_run(HingeAnchor<S>& anchor, S unit, const Keys& keys, Index first, Index n, const S* s,
               S* g) const {
    using V = Vec<S>;
    const SortedPositives<S>& positives = anchor.positives;
    const auto count = static_cast<S>(positives.count());
    Sums sums;
    Changes begins(anchor.changes, 1);
    Changes ends(anchor.changes, -1);
    const auto fold = [&](Index k, auto distance, auto semihard,
                          auto costless) NEARFAR_LAMBDA_INLINE {
      using T = decltype(distance);
      const T zero = constant<T>(0);
      const T negative = keys.template if_negative<T>(first + k, constant<T>(1), zero);
      const T easy = easy_rank<levels>(positives, distance, costless);
      sums.nearer.add(semihard, negative);
      sums.easy.add(easy, negative);
      const Costly<T> range = costly(spread<T>(count), semihard, costless, easy);
      const T size = max(range.to - range.from, zero) * negative;
      sums.active += size;
      sums.value.add(size, spread<T>(anchor.reference) - distance);
      if (g != nullptr) store(g + first + k, size * spread<T>(unit));
      begins.add(zero, min(size, range.from), range.from);
      // Empty ranges neither begin nor end.
      if (ends_vary()) ends.add(zero, min(size, spread<T>(count) - range.to), range.to);
    };
    constexpr int group = 3;  // of 16 make 48: the heights of strips are multiples
    Index k = 0;
    for (; k + group * V::lanes <= n; k += group * V::lanes) {
      V distance[group];
      V semihard[group];
      V costless[group];
      for (int v = 0; v < group; ++v) {
        distance[v] = distance_of<V>(s + first + k + v * V::lanes);
      }
      if (smallest_of(distance) > anchor.reference) {  // beyond all positives and their margin
        for (int v = 0; v < group; ++v) semihard[v] = costless[v] = V::broadcast(count);
      } else {
        SearchTree<S>::template ranks<levels>(positives.nearer(), positives.costless(), distance,
                                              semihard, costless);
      }
      // Meanwhile those before are counted.
      begins.count_most();
      if (ends_vary()) ends.count_most();
      for (int v = 0; v < group; ++v) {
        fold(k + v * V::lanes, distance[v], semihard[v], costless[v]);
      }
    }
    each_element<S>(n - k, [&]<class T>(Index rest) NEARFAR_LAMBDA_INLINE {
      const T distance = distance_of<T>(s + first + k + rest);
      fold(k + rest, distance, positives.nearer().template rank<levels>(distance),
           positives.costless().template rank<levels>(distance));
    });
    begins.count_all();
    ends.count_all();

    const auto whole = [](const ElementSum<S>& sum) {
      return static_cast<std::int64_t>(sum.total());
    };
    anchor.sums.active += whole(sums.active);
    anchor.sums.easy += whole(sums.easy);
    anchor.sums.semihard += whole(sums.nearer) - whole(sums.easy);
    anchor.sums.hard -= whole(sums.nearer);
    const double value = sums.value.total();
    anchor.sums.value += std::isfinite(value) ? value : value_in_double(anchor, keys, first, n, s);
  }

  /// What a run adds to the value, where that is out of the range of S.
  template <class Keys>
  double value_in_double(const HingeAnchor<S>& anchor, const Keys& keys, Index first, Index n,
                         const S* s) const {
    const SortedPositives<S>& positives = anchor.positives;
    double value = 0;
    for (Index k = first; k < first + n; ++k) {
      const S distance = distance_of<S>(s + k);
      const S costless = positives.costless().template rank<-1>(distance);
      const Costly<S> range =
          costly(static_cast<S>(positives.count()), positives.nearer().template rank<-1>(distance),
                 costless, easy_rank<-1>(positives, distance, costless));
      const S size = keys.template if_negative<S>(k, range.to - range.from, S(0));
      if (!(size > S(0))) continue;
      value += static_cast<double>(size) *
               (static_cast<double>(anchor.reference) - static_cast<double>(distance));
    }
    return value;
  }

  std::int64_t terms(const AnchorTriplets& sums) const {
    switch (mining_) {
      case Mining::hard:
        return sums.hard;
      case Mining::semihard:
        return sums.semihard;
      case Mining::easy:
        return sums.easy;
      default:
        return sums.hard + sums.semihard + sums.easy;
    }
  }

  Mining mining_;
  double margin_;
};

/// As a walk sees the negatives of anchors whose positives it knows: one that shows each score to
/// both of its rows, once, or one of keys in parts.
template <class S, int sign>
class HingeNegatives {
 public:
  using Row = HingeAnchor<S>;

  HingeNegatives(const HingeTriplets<S, sign>& triplets, const HingeAnchor<S>* anchors,
                 const Relation<S>& relation, const Upstream& upstream)
      : triplets_(triplets), anchors_(anchors), relation_(relation), upstream_(upstream) {}

  Row start(Index i) const { return anchors_[i]; }

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    const RowCodes<S> codes(relation_, i, first, n);
    triplets_.see(row, row_upstream(upstream_, i), codes, n, s, g);
  }

  // Where there are no gradients.
  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    differentiate(row, i, first, n, s, nullptr);
  }
  void close(Row&, Index) const {}

 private:
  HingeTriplets<S, sign> triplets_;
  const HingeAnchor<S>* anchors_;
  const Relation<S>& relation_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
