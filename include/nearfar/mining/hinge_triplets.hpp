#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/mining/anchor_row.hpp"
#include "nearfar/mining/mining.hpp"

/// \file
/// The hinge losses of every triplet of a kind, without a list of them. The positives that form
/// such a triplet with one negative are a range of ranks. The starts and ends of these ranges give
/// the number of negatives of each positive, which is its weight and the factor of its distance in
/// the sum. O(log P) a negative.

namespace nearfar::detail {

/// The triplets of one anchor counted so far.
template <class S>
struct HingeAnchor {
  SortedPositives<S> positives;
  std::int32_t* changes;  ///< number of ranges that begin less those that end, at each rank but 0
  S reference;            ///< upper bound of the distances of negatives with a cost
  AnchorTriplets sums;
};

/// An anchor's negatives by the roles of keys.
template <class S>
NegativeMask<S> negatives_of(const S* role) {
  return {Role<S>::negative, role, true};
}
/// The negatives among keys of which others are positives.
template <class S>
NegativeMask<S> negatives_of(const PositiveMask<S>& positives) {
  return {positives.own, positives.key, false};
}

/// The hinges over all triplets of a kind of an anchor, from its negatives in any order.
template <class S>
class HingeTriplets {
 public:
  /// Distances are -sign * score.
  HingeTriplets(Mining mining, double margin, int sign)
      : mining_(mining), margin_(margin), sign_(sign) {}

  /// The size of HingeAnchor::changes for up to n positives.
  static Index changes_size(Index n) { return n + 1; }

  int sign() const { return sign_; }

  /// Starts an anchor with this number of negatives.
  HingeAnchor<S> start(const SortedPositives<S>& positives, Index negatives,
                       std::int32_t* changes) const {
    const Index count = positives.count();
    std::fill_n(changes, changes_size(count), 0);
    const double farthest = count > 0 ? static_cast<double>(positives.distance(count - 1)) : 0;
    // All triplets are hard until counted as another kind.
    return {
        positives, changes, saturated<S>(farthest + margin_), {0, 0, 0, negatives * count, 0, 0}};
  }

  /// Adds n keys with scores s; `negatives` is the mask of negatives. Unless g is null, writes the
  /// negatives' dL/ds, and 0 for others, for dL/d(loss) = upstream.
  void fold(HingeAnchor<S>& anchor, double upstream, const NegativeMask<S>& negatives, Index n,
            const S* s, S* g) const {
    const S unit = saturated<S>(sign_ * upstream);
    const Index count = anchor.positives.count();
    const HingeRun<S> run{&anchor.positives.trees(),
                          static_cast<S>(count),
                          anchor.reference,
                          sign_,
                          kind(),
                          anchor.changes};
    const Index most = run_length(count);
    for (Index first = 0; first < n; first += most) {
      const NegativeMask<S> keys{negatives.own, negatives.key + first, negatives.equal};
      fold_run(anchor, run, unit, keys, std::min(most, n - first), s + first,
               g != nullptr ? g + first : nullptr);
    }
  }

  /// Returns the anchor's triplets after the last key. Calls body(key, times) for each positive
  /// with the number of its active triplets.
  template <class Body>
  AnchorTriplets finish(const HingeAnchor<S>& anchor, const Body& body) const {
    const SortedPositives<S>& positives = anchor.positives;
    AnchorTriplets sums = anchor.sums;
    sums.terms = terms(sums);
    // The ranges that contain a rank are those that begin at 0, whose number follows from that of
    // active triplets, and those that begin later and have not ended.
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
      sums.value -= times * (static_cast<double>(anchor.reference) -
                             static_cast<double>(positives.distance(r)));
      body(positives.key(r), times);
    }
    // The margin is added separately: added to each distance it would cost digits in every triplet.
    sums.value += static_cast<double>(sums.active) * margin_;
    // Cancellation in the sums must not give a negative loss.
    sums.value = std::max(sums.value, 0.0);
    return sums;
  }

 private:
  static_assert(tile_width <= hinge_keys_at_once);

  HingeKind kind() const {
    switch (mining_) {
      case Mining::hard:
        return HingeKind::hard;
      case Mining::semihard:
        return HingeKind::semihard;
      case Mining::easy:
        return HingeKind::easy;
      default:
        return HingeKind::all;
    }
  }

  /// Number of keys whose ranks are summed in S, exactly (up to 2^20 positives): whole vectors of
  /// every instruction set.
  static Index run_length(Index count) {
    constexpr Index exact = Index(1) << 24;
    constexpr Index lanes = 64 / Index(sizeof(S));
    if (count <= exact / hinge_keys_at_once) return hinge_keys_at_once;
    return std::max(round_down(exact / count, lanes), lanes);
  }

  void fold_run(HingeAnchor<S>& anchor, const HingeRun<S>& run, S unit,
                const NegativeMask<S>& negatives, Index n, const S* s, S* g) const {
    const HingeSums sums = triplet_loops<S>().hinge(run, unit, negatives, n, s, g);
    const auto easy = static_cast<std::int64_t>(sums.easy);
    const auto nearer = static_cast<std::int64_t>(sums.nearer);
    anchor.sums.active += static_cast<std::int64_t>(sums.active);
    anchor.sums.easy += easy;
    anchor.sums.semihard += nearer - easy;
    anchor.sums.hard -= nearer;
    anchor.sums.value += sums.value;
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
  int sign_;
};

/// The negatives of anchors with known positives, for a pass that computes each score once for both
/// of its rows, or for one with keys in blocks.
template <class S>
class HingeNegativesTerm final : public LabelledTerm<S> {
 public:
  /// For `rows` anchors. The upstream must outlive the term.
  HingeNegativesTerm(Scratch& scratch, Index rows, const HingeTriplets<S>& triplets,
                     const PositiveRule<S>& rule, const Upstream& upstream)
      : LabelledTerm<S>(rule),
        triplets_(triplets),
        upstream_(upstream),
        anchors_(scratch.take<HingeAnchor<S>>(rows)) {}

  /// After the last key: as HingeTriplets::finish.
  template <class Body>
  AnchorTriplets finish(Index i, const Body& body) const {
    return triplets_.finish(anchors_[i], body);
  }

  /// Sets anchor i, before any pass: as HingeTriplets::start.
  void set_positives(Index i, const SortedPositives<S>& positives, Index negatives,
                     std::int32_t* changes) {
    anchors_[i] = triplets_.start(positives, negatives, changes);
  }

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    gradient(i, first, n, s, nullptr);
  }
  void close(Index) override {}

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    triplets_.fold(anchors_[i], row_upstream(upstream_, i), negatives_of(positives.mask()), n, s,
                   g);
  }

 private:
  HingeTriplets<S> triplets_;
  const Upstream& upstream_;
  HingeAnchor<S>* anchors_;
};

}  // namespace nearfar::detail
