#pragma once

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

  template <detail::EigenDense M>
  requires std::is_same_v<typename std::remove_cvref_t<M>::Scalar, S> Negatives(
      const M& m)  // NOLINT(google-explicit-constructor): as Rows
      : rows_(m) {}

  const Rows<S>& rows() const { return rows_; }
  bool shared() const { return shared_; }

  /// Negatives that each of `queries` is compared with.
  Index per_query(Index queries) const {
    if (shared_) return rows_.rows();
    return queries > 0 ? rows_.rows() / queries : 0;
  }

  /// Throws std::invalid_argument unless each of `queries` gets as many as the others.
  void check_count(const char* name, Index queries) const {
    if (shared_ || per_query(queries) * queries == rows_.rows()) return;
    fail_argument(name, "as many for each of " + std::to_string(queries) + " queries",
                  std::to_string(rows_.rows()) + " rows");
  }

  template <class M>
  friend auto per_query(const M& m);

 private:
  Rows<S> rows_;
  bool shared_ = true;
};

/// Negatives of each query's own, as an argument: `loss.forward(queries, keys, per_query(rows))`.
template <class M>
auto per_query(const M& m) {
  Negatives<typename M::Scalar> out(m);
  out.shared_ = false;
  return out;
}

}  // namespace nearfar
