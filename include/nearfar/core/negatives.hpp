#pragma once

#include <concepts>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/matrix.hpp"

/// \file
/// Negatives given to a call: the same for all queries, or each query's own.

namespace nearfar {

/// A view of negatives, made implicitly from rows (K x D), which all queries then share. By
/// `per_query(rows)` each query has K of its own: rows (N K) x D, those of query i from row i K on.
template <class S>
class Negatives {
 public:
  Negatives() = default;

  Negatives(const Rows<S>& rows) : rows_(rows) {}  // NOLINT(google-explicit-constructor)

  // Integers, and a vector of Eigen's, are labels where a call takes either.
  template <detail::EigenDense M>
  requires(!std::integral<typename M::Scalar> && !detail::is_column<M>())
      Negatives(const M& m)  // NOLINT(google-explicit-constructor): as Rows
      : rows_(m) {}

  const Rows<S>& rows() const { return rows_; }
  bool shared() const { return shared_; }

  /// The same with ids, one a negative and one a query: a query is not compared with negatives of
  /// its own id (an old key of the same image in a queue). For shared negatives. Views: both must
  /// outlive the call.
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

  /// Negatives that each of `queries` is compared with.
  Index per_query(Index queries) const {
    if (shared_) return rows_.rows();
    return queries > 0 ? rows_.rows() / queries : 0;
  }

  /// Throws std::invalid_argument unless each of `queries` gets as many as the others, and unless
  /// ids are as many as what they are of.
  void check_count(const char* name, Index queries) const {
    if (has_ids_) {
      if (!shared_) fail_argument(name, "no ids for each query's own negatives", "ids");
      check_label_count("ids of negatives", ids_, rows_.rows());
      check_label_count("ids of queries", query_ids_, queries);
    }
    if (shared_ || per_query(queries) * queries == rows_.rows()) return;
    fail_argument(name, "as many for each of " + std::to_string(queries) + " queries",
                  std::to_string(rows_.rows()) + " rows");
  }

  template <class M>
  friend auto per_query(const M& m);

 private:
  Rows<S> rows_;
  bool shared_ = true;
  bool has_ids_ = false;
  Labels ids_;
  Labels query_ids_;
};

/// Negatives of each query's own, as an argument: `loss.forward(queries, keys, per_query(rows))`.
template <class M>
auto per_query(const M& m) {
  Negatives<typename M::Scalar> out(m);
  out.shared_ = false;
  return out;
}

}  // namespace nearfar
