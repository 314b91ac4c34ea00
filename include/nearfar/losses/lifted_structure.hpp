#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/label_calls.hpp"
#include "nearfar/terms/lifted_rows.hpp"

namespace nearfar {

/// Settings of LiftedStructure.
struct LiftedStructureOptions {
  double margin = 1;  ///< alpha, in the kernel's score
  /// Terms are positive pairs, each once.
  Reduction reduction = Reduction::mean;
  /// A row is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// Lifted structured loss (Song et al., Deep metric learning via lifted structured feature
/// embedding, 2016, eq. 4): every positive pair against all negatives of both of its rows, softly
/// the hardest,
///
///     J_ij = log( sum_{k in N(i)} exp(m - d_ik) + sum_{l in N(j)} exp(m - d_jl) ) + d_ij
///     L    = 1 / (2 |P|) sum over positive pairs (i, j) of max(0, J_ij)^2
///
/// with d the distance of kernel K, or minus the score for similarities. Terms are positive pairs
/// with the value max(0, J_ij)^2 / 2, so that Reduction::mean gives the paper's L. In a batch each
/// pair counts once, and with Reduction::none each row gets half of each of its pairs. With
/// references a pair is a query and a reference, all of it the query's; negatives of the query are
/// references, negatives of the reference are queries. Pairs without any negative are 0.
///
/// A rule other than labels must say the same of (i, j) and (j, i) in a batch. Extra memory
/// O((N + M) D); 5 N^2 D floating point operations forward and backward of a batch, 16 N M D with
/// references: looks at the scores for the sums over negatives come before. Immutable; shared by
/// threads each with its own Workspace; the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class LiftedStructure : public LabelCalls<LiftedStructure<S, K>, S, K, Result> {
 public:
  using Outcome = Result;

  /// Throws std::invalid_argument unless the margin is finite.
  explicit LiftedStructure(LiftedStructureOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_finite_option("margin", options.margin);
  }

  const LiftedStructureOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  friend class LabelCalls<LiftedStructure, S, K, Result>;

  template <int sets>
  Result run(detail::LabelledBatch<S, K, sets>& batch) const;

  LiftedStructureOptions options_;
  K kernel_;
};

template <class S, Kernel K>
template <int sets>
Result LiftedStructure<S, K>::run(detail::LabelledBatch<S, K, sets>& batch) const {
  using detail::LiftedSide;
  constexpr int sign = detail::nearness_sign<K>;
  using Rows = detail::LiftedRows<S, sign>;
  Result result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(
      options_.unusable_anchors,
      batch.anchors_where([](bool positive, bool negative) { return !positive || !negative; }),
      "without a positive or a negative");
  const detail::Relation<S> from_keys = batch.relation_from_keys();
  Diagnostics first_look;
  const auto* of_queries =
      batch.look(detail::NegativeLogSums<S, sign>(batch.relation()), first_look);
  const auto* of_keys = of_queries;
  if constexpr (sets == 2) {
    of_keys = batch.run_from_keys(detail::NegativeLogSums<S, sign>(from_keys), false);
  }
  const detail::LiftedRow* rows =
      batch.run(Rows(batch.same_rows ? LiftedSide::both : LiftedSide::query, options_.margin,
                     of_queries, of_keys, batch.relation(), batch.upstream()),
                d);
  if constexpr (sets == 2) {
    if (batch.wants_gradients()) {
      batch.run_from_keys(
          Rows(LiftedSide::key, options_.margin, of_keys, of_queries, from_keys, batch.upstream()),
          true);
    }
  }
  for (Index i = 0; i < d.anchors; ++i) {
    d.terms += batch.positives(i);
    d.active_terms += rows[i].active;
  }
  if (batch.same_rows) {
    d.terms /= 2;
    d.active_terms /= 2;
  }
  batch.reduce([&](Index i) { return rows[i].value; }, result);
  batch.hand_back(batch.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LABEL_LOSS, LiftedStructure)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LABEL_LOSS, LiftedStructure)
#endif

}  // namespace nearfar
