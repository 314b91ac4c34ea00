#pragma once

#include <algorithm>

#include "nearfar/mining/hinge_triplets.hpp"
#include "nearfar/tiles/relation.hpp"

/// \file
/// Hinge losses over every triplet of a kind where an anchor's keys come in parts: its positives
/// are collected first, then its negatives counted, then its positives drawn.

namespace nearfar::detail {

/// The positives of one anchor, in the order in which they come.
template <class S>
struct ArrivedPositives {
  S* numbers;   ///< their distances; later what pulls at each
  Index count;  ///< how many came so far
};

/// As the walk sees it: collects the distances of an anchor's positives.
template <class S, int sign>
class CollectPositives {
 public:
  using Row = ArrivedPositives<S>;

  explicit CollectPositives(const Relation<S>& relation) : relation_(relation) {}

  Row start(Index) const { return {nullptr, 0}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const RowCodes<S> codes(relation_, i, first, n);
    for (Index k = 0; k < n; ++k) {
      if (codes.key[k] == codes.own) row.numbers[row.count++] = S(-sign) * s[k];
    }
  }

  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S*, S* g) const { std::fill_n(g, n, S(0)); }

 private:
  const Relation<S>& relation_;
};

/// As the walk sees it: gives the positives, which come in the same order again, their weights.
template <class S, int sign>
class DrawPositives {
 public:
  using Row = ArrivedPositives<S>;

  DrawPositives(const Relation<S>& relation, const Upstream& upstream)
      : relation_(relation), upstream_(upstream) {}

  Row start(Index) const { return {nullptr, 0}; }
  void observe(Row&, Index, Index, Index, const S*) const {}
  void close(Row&, Index) const {}

  void differentiate(Row& row, Index i, Index first, Index n, const S*, S* g) const {
    const RowCodes<S> codes(relation_, i, first, n);
    const double unit = -sign * row_upstream(upstream_, i);
    for (Index k = 0; k < n; ++k) {
      g[k] = codes.key[k] == codes.own
                 ? static_cast<S>(unit * static_cast<double>(row.numbers[row.count++]))
                 : S(0);
    }
  }

 private:
  const Relation<S>& relation_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
