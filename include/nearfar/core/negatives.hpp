#pragma once

#include <concepts>
#include <span>
#include <string>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/matrix.hpp"

/// \file
/// Explicit negatives of a call: the same for all queries, or each query's own.

namespace nearfar {

/// A view of negatives, made implicitly from rows (K x D), which all queries then share. With
/// `per_query(rows)` each query has K of its own: rows is (N K) x D, and those of query i begin at
/// row i K. With `per_query(rows, offsets)` each query has any number: those of query i are rows
/// offsets[i] .. offsets[i + 1] - 1 of M x D.
template <class S>
class Negatives {
 public:
  Negatives() = default;

  Negatives(const Rows<S>& rows) : rows_(rows) {}  // NOLINT(google-explicit-constructor)

  // Integers, and a vector of Eigen, are labels where a call takes labels or negatives.
  template <detail::EigenDense M>
  requires(!std::integral<typename M::Scalar> && !detail::is_column<M>())
      Negatives(const M& m)  // NOLINT(google-explicit-constructor): as Rows
      : rows_(m) {}

  const Rows<S>& rows() const { return rows_; }
  bool shared() const { return shared_; }

  /// The offsets of `per_query(rows, offsets)`; empty if all queries have the same number.
  std::span<const Index> offsets() const { return offsets_; }
  bool ragged() const { return ragged_; }

  /// The same with ids, one a negative and one a query: a query is not compared with negatives of
  /// its own id (an old key of the same image in a queue). Views: both must outlive the call.
  Negatives ids(const Labels& negatives, const Labels& queries) const {
    Negatives out = *this;
    out.ids_ = negatives;
    out.query_ids_ = queries;
    out.has_ids_ = true;
    return out;
  }
  bool has_ids() const { return has_ids_; }
  const Labels& ids() const { return ids_; }
  const Labels& query_ids() const { return query_ids_; }

  /// The number of negatives of each of `queries` queries, if it is the same for all.
  Index per_query(Index queries) const {
    if (shared_) return rows_.rows();
    return queries > 0 ? rows_.rows() / queries : 0;
  }

  /// Throws std::invalid_argument unless the rows fit `queries` queries: the same number for each
  /// query, or offsets that ascend from 0 to the number of rows; and unless there is one id for
  /// each row and query, or none.
  void check_count(const char* name, Index queries) const {
    if (has_ids_) {
      check_label_count("ids of negatives", ids_, rows_.rows());
      check_label_count("ids of queries", query_ids_, queries);
    }
    if (ragged_) {
      check_offsets(name, queries);
      return;
    }
    if (shared_ || per_query(queries) * queries == rows_.rows()) return;
    fail_argument(name, "as many for each of " + std::to_string(queries) + " queries",
                  std::to_string(rows_.rows()) + " rows");
  }

  template <class M>
  friend auto per_query(const M& m);
  template <class M>
  friend auto per_query(const M& m, std::span<const Index> offsets);

 private:
  void check_offsets(const char* name, Index queries) const {
    if (static_cast<Index>(offsets_.size()) != queries + 1) {
      fail_argument(name, std::to_string(queries + 1) + " offsets, one more than queries",
                    std::to_string(offsets_.size()));
    }
    if (offsets_.front() != 0 || offsets_.back() != rows_.rows()) {
      fail_argument(name, "offsets from 0 to the number of rows, " + std::to_string(rows_.rows()),
                    std::to_string(offsets_.front()) + " to " + std::to_string(offsets_.back()));
    }
    for (std::size_t i = 0; i + 1 < offsets_.size(); ++i) {
      if (offsets_[i + 1] >= offsets_[i]) continue;
      fail_argument(name, "offsets in ascending order",
                    std::to_string(offsets_[i + 1]) + " after " + std::to_string(offsets_[i]));
    }
  }

  Rows<S> rows_;
  bool shared_ = true;
  bool ragged_ = false;
  std::span<const Index> offsets_;
  bool has_ids_ = false;
  Labels ids_;
  Labels query_ids_;
};

/// Negatives of each query's own, as an argument: `loss.forward(queries, keys, per_query(rows))`.
template <class M>
auto per_query(const M& m) {
  Negatives<detail::ScalarOfStored<typename M::Scalar>> out(m);
  out.shared_ = false;
  return out;
}

/// The same with any number for each query: `offsets` are N + 1 row numbers, ascending from 0 to M.
/// Of offsets and rows it is a view.
template <class M>
auto per_query(const M& m, std::span<const Index> offsets) {
  auto out = per_query(m);
  out.ragged_ = true;
  out.offsets_ = offsets;
  return out;
}

}  // namespace nearfar
