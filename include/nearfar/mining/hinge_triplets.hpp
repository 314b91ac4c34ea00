#pragma once

#include <cmath>
#include <numeric>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/mining/key_ranks.hpp"
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
  std::int32_t* changes;  ///< how many ranges begin, less those that end, at each rank
  double reference;       ///< a distance that no negative with a cost is beyond
  AnchorTriplets sums;
};

/// What hinges over all triplets of a kind make of an anchor's negatives, in any order.
template <class S, int sign>
class HingeTriplets {
 public:
  HingeTriplets(Mining mining, double margin) : mining_(mining), margin_(margin) {}

  /// Numbers that HingeAnchor::changes has for up to n positives.
  static Index changes_size(Index n) { return places + n + 1; }

  HingeAnchor<S> start(const SortedPositives<S>& positives, std::int32_t* changes) const {
    const Index count = positives.count();
    std::fill_n(changes, changes_size(count), 0);
    const double farthest = count > 0 ? static_cast<double>(positives.distance(count - 1)) : 0;
    return {positives, changes, saturated<S>(farthest + margin_), {0, 0, 0, 0, 0, 0}};
  }

  /// Folds in n keys with these roles and scores, and writes, unless g is null, the negatives'
  /// dL/ds, 0 for others, for dL/d(loss) = upstream.
  void see(HingeAnchor<S>& anchor, double upstream, const S* role, Index n, const S* s,
           S* g) const {
    const S unit = saturated<S>(sign * upstream);
    const auto count = static_cast<std::int32_t>(anchor.positives.count());
    each_ranks<sign>(anchor.positives, role, n, s, anchor.sums,
                     [&](Index first, Index size, const KeyRanks<S>& ranks) {
                       const Costly costly(mining_, ranks, count);
                       add(anchor, costly, ranks.distance);
                       if (g == nullptr) return;
                       each_element<S>(size, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
                         store(g + first + k, load<T>(costly.size + k) * spread<T>(unit));
                       });
                     });
  }

  /// After the last key: the anchor's triplets. Calls body(key, times) for each positive with the
  /// number of triplets that pull at it.
  template <class Body>
  AnchorTriplets finish(const HingeAnchor<S>& anchor, const Body& body) const {
    AnchorTriplets sums = anchor.sums;
    sums.terms = terms(sums);
    std::int64_t negatives =
        std::accumulate(anchor.changes, anchor.changes + spread_over, std::int64_t(0));
    for (Index r = 0; r < anchor.positives.count(); ++r) {
      negatives += anchor.changes[places + r];
      const auto times = static_cast<double>(negatives);
      sums.value -= times * (anchor.reference - margin_ - anchor.positives.distance(r));
      body(anchor.positives.key(r), times);
    }
    // Cancellation in the sums must not leave a loss below zero.
    sums.value = std::max(sums.value, 0.0);
    return sums;
  }

 private:
  static constexpr Index at_once = KeyRanks<S>::at_once;

  // Most ranges may begin at the first rank, or be empty, and one that counts them would wait for
  // itself each time: these are counted in places that neighbours don't share, before all others.
  static constexpr std::int32_t spread_over = 16;
  static constexpr std::int32_t nowhere = spread_over;
  static constexpr std::int32_t places = 2 * spread_over;

  /// The positives that cost something with each key.
  struct Costly {
    std::int32_t begin[at_once];  ///< where in HingeAnchor::changes they begin
    std::int32_t end[at_once];    ///< and end
    std::int32_t active = 0;
    bool ends_vary;
    S size[at_once];  ///< how many they are

    // A positive exactly a margin nearer costs nothing.
    Costly(Mining mining, const KeyRanks<S>& ranks, std::int32_t count)
        : ends_vary(mining == Mining::semihard || mining == Mining::easy) {
      for (Index k = 0; k < at_once; ++k) {
        const std::int32_t own = static_cast<std::int32_t>(k) % spread_over;
        const std::int32_t from = mining == Mining::hard
                                      ? std::max(ranks.costless[k], ranks.semihard[k])
                                      : ranks.costless[k];
        const std::int32_t to = mining == Mining::semihard ? ranks.semihard[k]
                                : mining == Mining::easy   ? ranks.easy[k]
                                                           : count;
        const std::int32_t some = std::max(to - from, 0) & ranks.negative[k];
        active += some;
        size[k] = static_cast<S>(some);
        begin[k] = some == 0 ? nowhere + own : from == 0 ? own : places + from;
        end[k] = some == 0 || to == count ? nowhere + own : places + to;
      }
    }
  };

  /// Adds what the keys at these distances cost: the sum over them of size (reference - d), of
  /// which finish() takes what their positives are nearer than the farthest.
  void add(HingeAnchor<S>& anchor, const Costly& costly, const S* distance) const {
    anchor.sums.active += costly.active;
    using V = Vec<S>;
    const V reference = V::broadcast(static_cast<S>(anchor.reference));
    V sum = V::zero();
    for (Index k = 0; k < at_once; k += V::lanes) {
      sum = multiply_add(V::load(costly.size + k), reference - V::load(distance + k), sum);
    }
    double value = static_cast<double>(sum.sum());
    if (!std::isfinite(value)) {  // out of the range of S
      value = 0;
      for (Index k = 0; k < at_once; ++k) {
        if (costly.size[k] == 0) continue;
        value += static_cast<double>(costly.size[k]) *
                 (anchor.reference - static_cast<double>(distance[k]));
      }
    }
    anchor.sums.value += value;
    for (Index k = 0; k < at_once; ++k) ++anchor.changes[costly.begin[k]];
    if (!costly.ends_vary) return;
    for (Index k = 0; k < at_once; ++k) --anchor.changes[costly.end[k]];
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

/// As the walk that shows each score to both of its rows, once, sees the negatives of anchors whose
/// positives it knows.
template <class S, int sign>
class HingeNegatives {
 public:
  using Row = HingeAnchor<S>;

  HingeNegatives(const HingeTriplets<S, sign>& triplets, const HingeAnchor<S>* anchors,
                 const Relation<S>& relation, const Upstream& upstream)
      : triplets_(triplets), anchors_(anchors), relation_(relation), upstream_(upstream) {}

  Row start(Index i) const { return anchors_[i]; }

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    S role[stretch];
    relation_.match(i, first, n, role);
    triplets_.see(row, row_upstream(upstream_, i), role, n, s, g);
  }

 private:
  HingeTriplets<S, sign> triplets_;
  const HingeAnchor<S>* anchors_;
  const Relation<S>& relation_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
