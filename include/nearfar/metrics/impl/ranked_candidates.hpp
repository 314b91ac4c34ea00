#pragma once

#include <algorithm>

#include "nearfar/engine/pair_counts.hpp"

/// \file
/// The keys that a query ranks, and the positives among them.

namespace nearfar::detail {

/// All keys but the query itself, those of its id, and unlabelled ones.
template <class S>
class RankedCandidates {
 public:
  /// For `keys` keys. `unlabelled`, if not null, is the label of keys that are candidates of no
  /// query; only with labels. All arguments must outlive the object.
  RankedCandidates(Scratch& scratch, const PairMask& mask, const PositiveRule<S>& rule,
                   const Labels& query_labels, const Labels& key_labels, Index keys,
                   const std::int64_t* unlabelled)
      : mask_(mask), rule_(rule), keys_(keys) {
    if (unlabelled == nullptr) return;
    query_labels_ = query_labels;
    unlabelled_ = unlabelled;
    auto* all = scratch.take<Index>(keys);
    for (Index j = 0; j < keys; ++j) {
      if (key_labels[j] == *unlabelled) all[left_out_count_++] = j;
    }
    left_out_ = all;
  }

  const PositiveRule<S>& rule() const { return rule_; }

  /// Calls body(first, n) for the parts of all keys that are query i's candidates.
  template <class Body>
  void each_part(Index i, const Body& body) const {
    mask_.each_part(i, 0, keys_, [&](Index first, Index n) {
      const Index* last = left_out_ + left_out_count_;
      const Index end = first + n;
      for (const Index* j = std::lower_bound(left_out_, last, first); j != last && *j < end; ++j) {
        if (*j > first) body(first, *j - first);
        first = *j + 1;
      }
      if (end > first) body(first, end - first);
    });
  }

  /// Calls body(j) for query i's positives among its candidates.
  template <class Body>
  void each_positive(Index i, const Body& body) const {
    if (is_unlabelled(i)) return;
    each_part(i, [&](Index first, Index count) {
      each_tile(first, first + count, [&](Index from, Index end) {
        const RowPositives<S> positives(rule_, i, from, end - from);
        for (Index c = 0; c < end - from; ++c) {
          if (positives[c]) body(from + c);
        }
      });
    });
  }

  /// The number of candidates of query i, and of positives among them.
  PairCounts count(Index i) const {
    PairCounts out{0, 0};
    if (!mask_.excluded.any() && rule_.by_labels()) {
      const bool self = mask_.pairing == Pairing::others;
      out = {rule_.members(i) - (self ? 1 : 0), keys_ - rule_.members(i)};
    } else {
      out = count_pairs(rule_, mask_, i, keys_);
    }
    if (unlabelled_ == nullptr) return out;
    if (is_unlabelled(i)) out.positives = 0;
    const Index positives = out.positives;
    out.negatives = -positives;
    each_part(i, [&](Index, Index n) { out.negatives += n; });
    return out;
  }

  /// True if candidate j is a positive of query i.
  bool positive(Index i, Index j) const {
    S match = 0;
    rule_.match(i, j, 1, &match);
    return match != S(0);
  }

 private:
  bool is_unlabelled(Index i) const {
    return unlabelled_ != nullptr && query_labels_[i] == *unlabelled_;
  }

  PairMask mask_;
  const PositiveRule<S>& rule_;
  Index keys_;
  Labels query_labels_;
  const std::int64_t* unlabelled_ = nullptr;
  const Index* left_out_ = nullptr;  ///< unlabelled keys, in order
  Index left_out_count_ = 0;
};

}  // namespace nearfar::detail
