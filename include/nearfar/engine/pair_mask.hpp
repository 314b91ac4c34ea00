#pragma once

#include "nearfar/engine/excluded_pairs.hpp"

/// \file
/// The pairs of a query and a key that count.

namespace nearfar::detail {

enum class Pairing {
  all,     ///< every query with every key
  others,  ///< queries are rows of the keys: every key but the query itself
  upper    ///< queries and keys are the same rows: j > i, each unordered pair once
};

/// Keys that belong to a query: `each` of them a query, or those from offsets[i] to
/// offsets[i + 1] - 1 of query i.
struct OwnColumns {
  Index each = 0;
  const Index* offsets = nullptr;
  Index shift = 0;  ///< the column of the first of them

  bool any() const { return each > 0 || offsets != nullptr; }
  Index first(Index i) const { return shift + (offsets != nullptr ? offsets[i] : i * each); }
  Index end(Index i) const { return first(i + 1); }
};

/// The own columns of negatives that belong to one query each.
template <class S>
OwnColumns own_columns(const Negatives<S>& negatives, Index queries) {
  if (negatives.ragged()) return {.offsets = negatives.offsets().data()};
  return {.each = negatives.per_query(queries)};
}

/// Pairs (i, j) by a rule; or by ids, which then decide alone.
struct PairMask {
  Pairing pairing = Pairing::all;
  ExcludedPairs excluded;
  Index own = 0;            ///< others: query i is key i + own
  OwnColumns without = {};  ///< masked in addition

  /// True if each unordered pair counts once.
  bool is_upper() const { return pairing == Pairing::upper && !excluded.any(); }

  /// Calls body(from, n) for the runs of columns [first, end) that count in row i.
  template <class Body>
  void each_part(Index i, Index first, Index end, const Body& body) const {
    if (!without.any()) {
      each_part_by_rule(i, first, end, body);
      return;
    }
    const Index before = std::clamp(without.first(i), first, end);
    const Index after = std::clamp(without.end(i), first, end);
    if (before > first) each_part_by_rule(i, first, before, body);
    if (end > after) each_part_by_rule(i, after, end, body);
  }

 private:
  template <class Body>
  void each_part_by_rule(Index i, Index first, Index end, const Body& body) const {
    if (excluded.any()) {  // row i itself is among them, if it is one of the keys
      excluded.each_part(i, first, end, body);
      return;
    }
    const Index self = i + own;
    if (pairing == Pairing::all || self < first || self >= end) {
      if (pairing == Pairing::upper && self >= end) return;
      body(first, end - first);
      return;
    }
    if (pairing == Pairing::others && self > first) body(first, self - first);
    if (self + 1 < end) body(self + 1, end - self - 1);
  }
};

}  // namespace nearfar::detail
