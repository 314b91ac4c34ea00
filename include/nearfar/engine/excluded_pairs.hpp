#pragma once

#include <algorithm>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Pairs that are masked by the ids of their rows.

namespace nearfar::detail {

/// Keys that a query is not compared with: those that share its id.
class ExcludedPairs {
 public:
  ExcludedPairs() = default;

  /// O((N + M) log M).
  ExcludedPairs(Scratch& scratch, const Labels& queries, const Labels& keys)
      : columns_(scratch.take<Index>(keys.size())), ranges_(scratch.take<Range>(queries.size())) {
    const Index m = keys.size();
    for (Index j = 0; j < m; ++j) columns_[j] = j;
    std::sort(columns_, columns_ + m,
              [&](Index a, Index b) { return keys[a] != keys[b] ? keys[a] < keys[b] : a < b; });
    const Index* begin = columns_;
    const Index* end = columns_ + m;
    for (Index i = 0; i < queries.size(); ++i) {
      const std::int64_t id = queries[i];
      const Index* first = std::partition_point(begin, end, [&](Index j) { return keys[j] < id; });
      const Index* last = std::partition_point(first, end, [&](Index j) { return keys[j] == id; });
      ranges_[i] = {first, last};
    }
  }

  /// The same for queries from `first` on.
  ExcludedPairs from(Index first) const {
    ExcludedPairs out = *this;
    if (any()) out.ranges_ += first;
    return out;
  }

  bool any() const { return ranges_ != nullptr; }

  /// Keys that query i is not compared with.
  Index count(Index i) const { return ranges_[i].last - ranges_[i].first; }

  /// body(j) for every key that query i is not compared with.
  template <class Body>
  void each(Index i, const Body& body) const {
    std::for_each(ranges_[i].first, ranges_[i].last, body);
  }

  /// body(from, n) for what is left of columns [first, end) of row i.
  template <class Body>
  void each_part(Index i, Index first, Index end, const Body& body) const {
    const Range& range = ranges_[i];
    for (const Index* j = std::lower_bound(range.first, range.last, first);
         j != range.last && *j < end; ++j) {
      if (*j > first) body(first, *j - first);
      first = *j + 1;
    }
    if (end > first) body(first, end - first);
  }

 private:
  struct Range {
    const Index* first;
    const Index* last;
  };
  Index* columns_ = nullptr;  ///< keys by id, those of one id in order
  Range* ranges_ = nullptr;   ///< of each query
};

/// The pairs that the ids of negatives mask, if they have any.
template <class S>
ExcludedPairs excluded_by_ids(Scratch& scratch, const Negatives<S>& negatives) {
  if (!negatives.has_ids()) return {};
  return ExcludedPairs(scratch, negatives.query_ids(), negatives.ids());
}

/// How many of `queries` have no negative.
template <class S>
Index queries_without_negative(const Negatives<S>& negatives, Index queries,
                               const ExcludedPairs& excluded) {
  if (negatives.per_query(queries) == 0) return queries;
  if (!excluded.any()) return 0;
  Index without = 0;
  for (Index i = 0; i < queries; ++i) without += excluded.count(i) == negatives.rows().rows();
  return without;
}

}  // namespace nearfar::detail
