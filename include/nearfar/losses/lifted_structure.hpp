#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/lifted_rows.hpp"
#include "nearfar/tiles/labelled_batch.hpp"

namespace nearfar {

/// Settings of LiftedStructure.
struct LiftedStructureOptions {
  double margin = 1;  ///< alpha, in the kernel's score
  /// Terms are positive pairs, each once.
  Reduction reduction = Reduction::mean;
  /// A row is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// Lifted structured loss of a labelled batch (Song et al., Deep metric learning via lifted
/// structured feature embedding, 2016, eq. 4): every positive pair against all negatives of both of
/// its rows, softly the hardest,
///
///     J_ij = log( sum_{k in N(i)} exp(m - d_ik) + sum_{l in N(j)} exp(m - d_jl) ) + d_ij
///     L    = 1 / (2 |P|) sum over positive pairs (i, j) of max(0, J_ij)^2
///
/// with d the distance of kernel K, or minus the score for similarities. Terms are positive pairs
/// with the value max(0, J_ij)^2 / 2, so that Reduction::mean gives the paper's L; with
/// Reduction::none each row gets half of each of its pairs. Pairs without any negative are 0.
///
/// Extra memory O(N D); 8 N^2 D floating point operations forward and backward: two looks at the
/// scores, the first for the sums over negatives. Immutable; shared by threads each with its own
/// Workspace; the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class LiftedStructure {
 public:
  /// Throws std::invalid_argument unless the margin is finite.
  explicit LiftedStructure(LiftedStructureOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_finite_option("margin", options.margin);
  }

  const LiftedStructureOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of a batch x (N x D) with one label a row, or another rule of who is positive for
  /// whom that says the same of (i, j) and (j, i): see Tags. Throws std::invalid_argument on shapes
  /// that do not fit, std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, const Tags& labels, CallOptions<S> call = {}) const {
    return run(nullptr, x, labels, no_gradient, call);
  }

  /// Value and the gradient of it, N x D.
  Result forward_backward(Rows<S> x, const Tags& labels, GradientRows<S> dx,
                          CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, x.rows());
    return run(&one, x, labels, dx, call);
  }

  /// As forward_backward with the gradient times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  Result backward(const Upstream& upstream, Rows<S> x, const Tags& labels, GradientRows<S> dx,
                  CallOptions<S> call = {}) const {
    return run(&upstream, x, labels, dx, call);
  }

 private:
  Result run(const Upstream* upstream, const Rows<S>& x, const Tags& labels, GradientRows<S> dx,
             CallOptions<S> call) const;

  LiftedStructureOptions options_;
  K kernel_;
};

template <class S, Kernel K>
Result LiftedStructure<S, K>::run(const Upstream* upstream, const Rows<S>& x, const Tags& labels,
                                  GradientRows<S> dx, CallOptions<S> call) const {
  constexpr int sign = detail::nearness_sign<K>;
  detail::LabelledBatch<S, K, 1> batch(kernel_, options_.reduction, detail::PairWeights::refused,
                                       upstream, {{{"x", x, detail::Side::query}}},
                                       {{{"labels", labels}}}, {&dx}, call);
  Result result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(
      options_.unusable_anchors,
      batch.anchors_where([](bool positive, bool negative) { return !positive || !negative; }),
      "without a positive or a negative");
  Diagnostics first_look;
  const auto* negatives =
      batch.look(detail::NegativeLogSums<S, sign>(batch.relation()), first_look);
  const detail::LiftedRows<S, sign> loss(options_.margin, negatives, batch.relation(),
                                         batch.upstream());
  const detail::LiftedRow* rows = batch.run(loss, d);
  for (Index i = 0; i < d.anchors; ++i) {
    d.terms += batch.positives(i);
    d.active_terms += rows[i].active;
  }
  d.terms /= 2;
  d.active_terms /= 2;
  batch.reduce([&](Index i) { return rows[i].value; }, result);
  batch.hand_back(batch.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LOSS, LiftedStructure)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, LiftedStructure)
#endif

}  // namespace nearfar
