#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/tags.hpp"
#include "nearfar/tiles/labelled_batch.hpp"

namespace nearfar {

/// The public calls of a loss over labels, the same for all of them. Loss has `options()` with a
/// `reduction`, `kernel()`, and `run(LabelledBatch&)` -> R, private, with this class its friend;
/// and a public `takes_pair_weights` if it knows what to do with weights of listed positives.
template <class Loss, class S, class K, class R>
class LabelCalls {
 public:
  /// The loss of a batch x (N x D): rows are compared with all other rows. `labels` are one label a
  /// row, or another rule of who is positive for whom: see Tags. Throws std::invalid_argument on
  /// shapes or tags that do not fit, std::domain_error on an element that is not finite.
  R forward(Rows<S> x, const Tags& labels, CallOptions<S> call = {}) const {
    return over_batch(nullptr, x, labels, no_gradient, call);
  }

  /// The loss of queries (N x D) compared with references (M x D), each with its labels: a
  /// cross-batch memory, or a gallery. Anchors are the queries.
  R forward(Rows<S> queries, const Tags& query_labels, Rows<S> references,
            const Tags& reference_labels, CallOptions<S> call = {}) const {
    return over_references(nullptr, queries, query_labels, references, reference_labels,
                           no_gradient, no_gradient, call);
  }

  /// Value and the gradients of it, in the shapes of their inputs; each may be `no_gradient` or
  /// `accumulate(buffer)`. With Reduction::none, those of the sum.
  R forward_backward(Rows<S> x, const Tags& labels, GradientRows<S> dx,
                     CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(self().options().reduction, x.rows());
    return over_batch(&one, x, labels, dx, call);
  }
  R forward_backward(Rows<S> queries, const Tags& query_labels, Rows<S> references,
                     const Tags& reference_labels, GradientRows<S> d_queries,
                     GradientRows<S> d_references, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(self().options().reduction, queries.rows());
    return over_references(&one, queries, query_labels, references, reference_labels, d_queries,
                           d_references, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or one an
  /// anchor with Reduction::none. No forward need come before.
  R backward(const Upstream& upstream, Rows<S> x, const Tags& labels, GradientRows<S> dx,
             CallOptions<S> call = {}) const {
    return over_batch(&upstream, x, labels, dx, call);
  }
  R backward(const Upstream& upstream, Rows<S> queries, const Tags& query_labels,
             Rows<S> references, const Tags& reference_labels, GradientRows<S> d_queries,
             GradientRows<S> d_references, CallOptions<S> call = {}) const {
    return over_references(&upstream, queries, query_labels, references, reference_labels,
                           d_queries, d_references, call);
  }

 private:
  const Loss& self() const { return static_cast<const Loss&>(*this); }

  static constexpr detail::PairWeights pair_weights() {
    constexpr bool takes = requires { Loss::takes_pair_weights; };
    return takes ? detail::PairWeights::used : detail::PairWeights::refused;
  }

  R over_batch(const Upstream* upstream, const Rows<S>& x, const Tags& labels, GradientRows<S> dx,
               CallOptions<S> call) const;
  R over_references(const Upstream* upstream, const Rows<S>& queries, const Tags& query_labels,
                    const Rows<S>& references, const Tags& reference_labels,
                    GradientRows<S> d_queries, GradientRows<S> d_references,
                    CallOptions<S> call) const;
};

template <class Loss, class S, class K, class R>
R LabelCalls<Loss, S, K, R>::over_batch(const Upstream* upstream, const Rows<S>& x,
                                        const Tags& labels, GradientRows<S> dx,
                                        CallOptions<S> call) const {
  detail::LabelledBatch<S, K, 1> batch(self().kernel(), self().options().reduction, pair_weights(),
                                       upstream, {{{"x", x, detail::Side::query}}},
                                       {{{"labels", labels}}}, {&dx}, call);
  return self().run(batch);
}

template <class Loss, class S, class K, class R>
R LabelCalls<Loss, S, K, R>::over_references(const Upstream* upstream, const Rows<S>& queries,
                                             const Tags& query_labels, const Rows<S>& references,
                                             const Tags& reference_labels,
                                             GradientRows<S> d_queries,
                                             GradientRows<S> d_references,
                                             CallOptions<S> call) const {
  detail::LabelledBatch<S, K, 2> batch(
      self().kernel(), self().options().reduction, pair_weights(), upstream,
      {{{"queries", queries, detail::Side::query}, {"references", references, detail::Side::key}}},
      {{{"query_labels", query_labels}, {"reference_labels", reference_labels}}},
      {&d_queries, &d_references}, call);
  return self().run(batch);
}

}  // namespace nearfar
