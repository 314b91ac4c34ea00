#pragma once

#include "nearfar/core/negatives.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"

/// \file
/// Queries with the same number K of rows of their own each: the scores of query i with rows i K ..
/// i K + K - 1 of a set.

namespace nearfar::detail {

/// Throws std::invalid_argument unless `rows` are a multiple of `queries`.
template <class S>
void check_own_rows(const char* name, const Rows<S>& rows, Index queries) {
  per_query(rows).check_count(name, queries);
}

template <class S>
class OwnRows {
 public:
  /// The scores of set 0 of a packed call, the queries, with set `set`, which has passed
  /// check_own_rows.
  OwnRows(Call<S>& call, int set)
      : call_(call),
        set_(set),
        count_(queries().rows > 0 ? rows().rows / queries().rows : 0),
        query_(call.scratch().template take<Index>(rows().rows)),
        pairs_(call.scratch(), rows().rows) {
    for (Index j = 0; j < rows().rows; ++j) query_[j] = j / count_;
    // Inner products and distances of packed rows are symmetric, so keys may come first.
    paired_scores(call.threads(), call.kernel(), rows(), queries(), pairs_, query_);
  }

  /// The number of rows a query.
  Index count() const { return count_; }
  /// The scores of query i, and their derivatives, which the loss writes.
  const S* scores(Index i) const { return pairs_.s + i * count_; }
  S* slopes(Index i) const { return pairs_.g + i * count_; }

  void fold_scores(Diagnostics& d) const {
    detail::fold_scores(call_.kernel(), rows().rows, pairs_.s, d);
  }

  /// Adds the gradients of queries and rows, after the slopes are written.
  void add_gradients() const {
    add_paired_gradients(call_.threads(), call_.kernel(), rows(), queries(), pairs_,
                         call_.gradients(set_), call_.gradients(0), query_);
  }

 private:
  const PackedRows<S>& queries() const { return call_.rows(0); }
  const PackedRows<S>& rows() const { return call_.rows(set_); }

  Call<S>& call_;
  int set_;
  Index count_;
  Index* query_;
  PairedScores<S> pairs_;
};

}  // namespace nearfar::detail
