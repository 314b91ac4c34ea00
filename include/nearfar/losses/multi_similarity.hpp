#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/terms/label_calls.hpp"
#include "nearfar/terms/logistic.hpp"
#include "nearfar/terms/pair_logit_rows.hpp"

namespace nearfar {

/// Settings of MultiSimilarity.
struct MultiSimilarityOptions {
  double alpha = 2;   ///< > 0: how sharply positives are weighted
  double beta = 50;   ///< > 0: how sharply negatives are weighted
  double base = 0.5;  ///< lambda: the score from which on a pair counts for much
  Reduction reduction = Reduction::mean;  ///< terms are anchors, all of them
  /// An anchor is unusable when it has neither a positive nor a negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

namespace detail {

/// Logits -alpha (s - base) and beta (s - base).
struct MultiSimilarityForm {
  double alpha;
  double beta;
  double base;

  template <class T>
  NEARFAR_ALWAYS_INLINE T positive(T s) const {
    return (s - constant<T>(base)) * constant<T>(-alpha);
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T negative(T s) const {
    return (s - constant<T>(base)) * constant<T>(beta);
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T positive_slope(T) const {
    return constant<T>(-alpha);
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T negative_slope(T) const {
    return constant<T>(beta);
  }

  PairLogitLoss loss(double positives, double negatives) const {
    const Softplus<double> near(positives);
    const Softplus<double> far(negatives);
    return {near.value / alpha + far.value / beta, near.slope / alpha, far.slope / beta};
  }
};

}  // namespace detail

/// Multi-similarity loss of a labelled batch (Wang et al., Multi-similarity loss with general pair
/// weighting for deep metric learning, 2019, eq. 15, without its pair mining):
///
///     L_i = 1/alpha log(1 + sum_{p in P(i)} exp(-alpha (s_ip - lambda)))
///         + 1/beta  log(1 + sum_{n in N(i)} exp( beta  (s_in - lambda)))
///
/// with similarities s of kernel K. Terms are anchors: Reduction::mean divides by N, as the paper
/// does; an anchor without a positive or without a negative has the other part alone.
///
/// Extra memory O((N + M) D), 4 N^2 D floating point operations for a batch. Immutable; shared by
/// threads each with its own Workspace; the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class MultiSimilarity : public LabelCalls<MultiSimilarity<S, K>, S, K, Result> {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: MultiSimilarity needs a kernel that is a similarity");

 public:
  using Outcome = Result;

  /// Throws std::invalid_argument unless alpha and beta are finite and > 0 and base is finite.
  explicit MultiSimilarity(MultiSimilarityOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_positive("alpha", options.alpha);
    check_positive("beta", options.beta);
    check_finite_option("base", options.base);
  }

  const MultiSimilarityOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  friend class LabelCalls<MultiSimilarity, S, K, Result>;

  template <int sets>
  Result run(detail::LabelledBatch<S, K, sets>& batch) const;

  MultiSimilarityOptions options_;
  K kernel_;
};

template <class S, Kernel K>
template <int sets>
Result MultiSimilarity<S, K>::run(detail::LabelledBatch<S, K, sets>& batch) const {
  Result result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(
      options_.unusable_anchors,
      batch.anchors_where([](bool positive, bool negative) { return !positive && !negative; }),
      "without any other row");
  const detail::MultiSimilarityForm form{options_.alpha, options_.beta, options_.base};
  const detail::PairLogitRows<S, detail::MultiSimilarityForm> loss(form, batch.relation(),
                                                                   batch.upstream());
  const auto* rows = batch.run(loss, d);
  detail::reduce_pair_logit_rows(
      batch, rows, [](Index) { return true; }, result);
  batch.hand_back(batch.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LABEL_LOSS, MultiSimilarity)
#endif

}  // namespace nearfar
