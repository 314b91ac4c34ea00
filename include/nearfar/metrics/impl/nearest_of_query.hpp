#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/core/matrix.hpp"
#include "nearfar/loops/scores.hpp"

/// \file
/// The nearest keys of one query, from its scores.

namespace nearfar::detail {

/// A key and its distance, which is -score for similarities.
template <class S>
struct Neighbour {
  S distance;
  Index key;

  /// Nearest first; of equally near ones the lowest index first: a total order.
  friend bool operator<(const Neighbour& a, const Neighbour& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.key < b.key;
  }
};

/// Keys that a query does not get: those too near, its own positive, and positives by a rule.
template <class S>
struct UnwantedKeys {
  S nearest = std::numeric_limits<S>::infinity();  ///< scores, as similarities, are at most this
  Index own_positive = -1;
  PositiveMask<S> positives = {};  ///< of the offered keys; a null key means none
};

/// The `wanted` nearest of all offered keys, in any order. Keys nearer than the farthest kept one
/// are stored behind those kept; once there are as many again, the farther half is dropped. M keys
/// take O(M) comparisons in any order, and sorting the rest takes O(wanted log wanted). One is a
/// Neighbour, or has its members and its order.
template <class S, class One = Neighbour<S>>
class NearestOfQuery {
 public:
  /// The size of memory for the `wanted` nearest of `keys`.
  static Index memory(Index wanted, Index keys) {
    return wanted < keys - wanted ? 2 * wanted : keys;
  }

  /// At most the `keys` that `memory` was taken for may be offered. `sign` is the kernel's. Keys
  /// farther than `farthest` are left out.
  NearestOfQuery(One* memory, Index wanted, int sign,
                 S farthest = std::numeric_limits<S>::infinity())
      : kept_(memory),
        wanted_(wanted),
        sign_(static_cast<S>(sign)),
        bound_{farthest, std::numeric_limits<Index>::max()} {}

  /// Offers keys first .. first + n - 1 with scores s; some may be unwanted.
  void offer(const S* s, Index first, Index n, const UnwantedKeys<S>& unwanted = {}) {
    offer_each(
        s, n,
        [first](S distance, Index c) {
          return One{distance, first + c};
        },
        unwanted);
  }

  /// Offers n keys with scores s; make(distance, c) is the c-th.
  template <class Make>
  void offer_each(const S* s, Index n, const Make& make, const UnwantedKeys<S>& unwanted = {}) {
    constexpr Index at_once = 384;
    std::int32_t places[at_once];
    for (Index j = 0; j < n; j += at_once) {
      // After many keys, hardly any is near enough.
      const PositiveMask<S> positives{unwanted.positives.own, unwanted.positives.key != nullptr
                                                                  ? unwanted.positives.key + j
                                                                  : nullptr};
      const Index count = score_loops<S>().merits_in_range(
          std::min(at_once, n - j), {sign_, -bound_.distance, unwanted.nearest}, s + j,
          positives.key != nullptr ? &positives : nullptr, places);
      for (Index t = 0; t < count; ++t) {
        const Index c = j + places[t];
        const One one = make(-sign_ * s[c], c);
        if (one.key != unwanted.own_positive) offer(one);
      }
    }
  }

  /// Sorts the keys; no more may be offered.
  void sort() {
    if (count_ > wanted_) drop_farther();
    std::sort(kept_, kept_ + count_);
  }

  Index wanted() const { return wanted_; }
  Index count() const { return count_; }
  const One& operator[](Index rank) const { return kept_[rank]; }

 private:
  void offer(const One& one) {
    if (!(one < bound_)) return;
    kept_[count_++] = one;
    if (count_ - wanted_ == wanted_) drop_farther();
  }

  void drop_farther() {
    std::nth_element(kept_, kept_ + (wanted_ - 1), kept_ + count_);
    count_ = wanted_;
    bound_ = kept_[wanted_ - 1];
  }

  One* kept_;
  Index wanted_;
  S sign_;  ///< 1 or -1
  Index count_ = 0;
  One bound_;  ///< keys after it in order are not kept
};

}  // namespace nearfar::detail
