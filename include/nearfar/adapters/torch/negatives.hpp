#pragma once

#include "nearfar/adapters/torch/call.hpp"

namespace nearfar::libtorch {

/// Negatives as a tensor: what nearfar::Negatives is for views. Made implicitly from rows, which
/// may require a gradient: K x D, shared by all queries, or N x K x D, each query's own. `offsets`
/// and `ids` add to it. Holds the tensors.
class TensorNegatives {
 public:
  TensorNegatives() = default;

  TensorNegatives(const Tensor& rows) : rows_(rows) {}  // NOLINT(google-explicit-constructor)

  /// The same where each query has any number of its own: those of query i are rows offsets[i] to
  /// offsets[i + 1] - 1 (int64, N + 1) of M x D.
  TensorNegatives offsets(const Tensor& offsets) const {
    TensorNegatives out = *this;
    out.offsets_ = detail::checked_integers("offsets", offsets);
    return out;
  }

  /// The same with ids (int64), one a negative and one a query: a query is not compared with
  /// negatives of its own id.
  TensorNegatives ids(const Tensor& of_negatives, const Tensor& of_queries) const {
    TensorNegatives out = *this;
    out.ids_ = detail::checked_integers("ids of negatives", of_negatives);
    out.query_ids_ = detail::checked_integers("ids of queries", of_queries);
    return out;
  }

  const Tensor& rows() const { return rows_; }
  /// As an argument of a call.
  detail::RowInput input(const char* name) const {
    return {name, rows_, 2, offsets_.defined() ? 2 : 3};
  }

  /// The view of these rows, which a call reads, with offsets and ids; valid while this lives.
  template <class S>
  Negatives<S> view(const Rows<S>& rows) const {
    Negatives<S> out;
    if (offsets_.defined()) {
      out = per_query(rows, detail::offsets_of(offsets_));
    } else {
      out = detail::negatives_of(rows, rows_.dim() == 2);
    }
    return ids_.defined() ? out.ids(detail::labels_of(ids_), detail::labels_of(query_ids_)) : out;
  }

 private:
  Tensor rows_;
  Tensor offsets_;
  Tensor ids_;
  Tensor query_ids_;
};

}  // namespace nearfar::libtorch
