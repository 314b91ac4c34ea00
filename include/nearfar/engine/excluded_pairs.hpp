#pragma once

#include <algorithm>
#include <utility>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Pairs that are masked by the ids of their rows.

namespace nearfar::detail {

/// Keys that a query is not compared with: those of its id, except one that is kept.
class ExcludedPairs {
 public:
  ExcludedPairs() = default;

  /// O((N + M) log N): keys are many where they come from a queue, and few of them have the id of a
  /// query.
  ExcludedPairs(Scratch& scratch, const Labels& queries, const Labels& keys)
      : ranges_(scratch.take<Range>(queries.size())) {
    auto* const ids = scratch.take<std::int64_t>(queries.size());
    for (Index i = 0; i < queries.size(); ++i) ids[i] = queries[i];
    std::sort(ids, ids + queries.size());
    const std::int64_t* const end = std::unique(ids, ids + queries.size());
    const Index count = end - ids;
    // The number of an id of queries; `count` for others.
    const auto number_of = [&](std::int64_t id) {
      const std::int64_t* const at = std::lower_bound<const std::int64_t*>(ids, end, id);
      return at != end && *at == id ? at - ids : count;
    };
    // First the number of keys of each id, then the place of its next key, and last its end.
    auto* const places = scratch.take<Index>(count + 1);
    std::fill_n(places, count + 1, Index(0));
    auto* const numbers = scratch.take<Index>(keys.size());
    for (Index j = 0; j < keys.size(); ++j) ++places[numbers[j] = number_of(keys[j])];
    Index total = 0;
    for (Index g = 0; g < count; ++g) total += std::exchange(places[g], total);
    columns_ = scratch.take<Index>(total);
    for (Index j = 0; j < keys.size(); ++j) {
      if (numbers[j] < count) columns_[places[numbers[j]]++] = j;
    }
    for (Index i = 0; i < queries.size(); ++i) {
      const Index g = number_of(queries[i]);
      ranges_[i] = {columns_ + (g > 0 ? places[g - 1] : 0), columns_ + places[g]};
    }
  }

  /// The same for queries from `first` on.
  ExcludedPairs from(Index first) const {
    ExcludedPairs out = *this;
    if (any()) out.ranges_ += first;
    if (out.kept_ != nullptr) {
      out.kept_ += first;
    } else {
      out.first_ -= first;
    }
    return out;
  }

  /// Keeps each query's own positive in spite of its id: query i is compared with key
  /// column[i] - first, or i - first if column is null. The columns must outlive the object.
  void keep_positives(const Index* column, Index first = 0) {
    keeps_ = true;
    kept_ = column;
    first_ = first;
  }

  bool any() const { return ranges_ != nullptr; }

  /// Calls body(j) for every key that query i is not compared with.
  template <class Body>
  void each(Index i, const Body& body) const {
    const Index kept = kept_by(i);
    std::for_each(ranges_[i].first, ranges_[i].last, [&](Index j) {
      if (j != kept) body(j);
    });
  }

  /// Calls body(j) for those of them in [first, end).
  template <class Body>
  void each(Index i, Index first, Index end, const Body& body) const {
    const Index kept = kept_by(i);
    const Range& range = ranges_[i];
    for (const Index* j = std::lower_bound(range.first, range.last, first);
         j != range.last && *j < end; ++j) {
      if (*j != kept) body(*j);
    }
  }

  /// Calls body(from, n) for the remaining runs of columns [first, end) of row i.
  template <class Body>
  void each_part(Index i, Index first, Index end, const Body& body) const {
    each(i, first, end, [&](Index j) {
      if (j > first) body(first, j - first);
      first = j + 1;
    });
    if (end > first) body(first, end - first);
  }

 private:
  struct Range {
    const Index* first;
    const Index* last;
  };

  /// The key that query i is compared with in spite of its id; outside of all blocks of keys if
  /// there is none.
  Index kept_by(Index i) const {
    return keeps_ ? (kept_ != nullptr ? kept_[i] : i) - first_ : Index(-1);
  }

  Index* columns_ = nullptr;  ///< keys with ids of queries, by id, those of one id in order
  Range* ranges_ = nullptr;   ///< of each query
  bool keeps_ = false;
  const Index* kept_ = nullptr;
  Index first_ = 0;
};

/// The pairs that the ids of negatives mask, if they have any.
template <class S>
ExcludedPairs excluded_by_ids(Scratch& scratch, const Negatives<S>& negatives) {
  if (!negatives.has_ids()) return {};
  return ExcludedPairs(scratch, negatives.query_ids(), negatives.ids());
}

}  // namespace nearfar::detail
