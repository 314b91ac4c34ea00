#pragma once

#include <optional>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/labels.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/softmax_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/own_keys.hpp"
#include "nearfar/tiles/paired_rows.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of InfoNce.
struct InfoNceOptions {
  double temperature = 0.07;  ///< tau > 0: logits are scores / tau
  Denominator denominator = Denominator::with_positive;
  Reduction reduction = Reduction::mean;  ///< terms are queries
  /// A query is unusable when there is no negative to tell its key from.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// What InfoNce returns.
using InfoNceResult = TemperatureResult;

/// InfoNCE: pick the positive out of all keys.
///
/// For N queries (N x D) and M keys (M x D), key t(i) the positive of query i and all other keys
/// its negatives, with scores s_ij of the kernel K (minus the distance for kernels that are
/// distances) and temperature tau,
///
///     L_i = -log( exp(s_it(i) / tau) / sum_j exp(s_ij / tau) )
///
/// (van den Oord et al., Representation learning with contrastive predictive coding, 2018, eq. 4;
/// the same as cross entropy over s / tau with target t(i)). t(i) = i unless the call says
/// otherwise. With explicit negatives (keys N x D) the sum runs over the query's own key and the
/// negatives, shared by all queries (K x D: MoCo's 1 + K logits, He et al. 2020, eq. 1) or each
/// query's own. For several positives a query see SupCon with PositiveLists.
///
/// With Denominator::negatives_only the positive is left out below the fraction (decoupled
/// contrastive learning, Yeh et al. 2022, eq. 6); values may then be negative. Also known as
/// ranking NCE (Ma & Collins 2018) and, with inner products at temperature 1, as the N-pair loss:
/// see NPair.
///
/// Terms are queries: Reduction::mean divides by N, mean_nonzero by the number of L_i != 0.
///
/// Scores are never held as N x M: a call takes O((N + M) D) extra memory and 6 N M D floating
/// point operations forward and backward, 2 N M D forward. An object is immutable and may be shared
/// by threads, each with its own Workspace. Value, gradients and counts have the same bits at any
/// number of threads.
///
/// S is float or double. Kernels: Cosine (default), InnerProduct, SquaredEuclidean, Euclidean,
/// CosineDistance, Mahalanobis, Bilinear, or your own.
template <class S, Kernel K = Cosine>
class InfoNce {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit InfoNce(InfoNceOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_positive("temperature", options.temperature);
  }

  const InfoNceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) against keys (M x D, M >= N, key i the positive of query i).
  /// An empty batch has value 0. Throws std::invalid_argument on shapes that do not fit,
  /// std::domain_error on an element that is not finite.
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, CallOptions<S> call = {}) const {
    return run(nullptr, queries, keys, std::nullopt, no_gradient, no_gradient, call);
  }

  /// The loss of queries (N x D) against keys (M x D), key positives[i] the positive of query i
  /// (N integers from 0 to M - 1). Throws as above, and on an index that is none.
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, Labels positives,
                        CallOptions<S> call = {}) const {
    return run(nullptr, queries, keys, positives, no_gradient, no_gradient, call);
  }

  /// The loss of queries (N x D) with keys (N x D, key i the positive of query i) against
  /// negatives: K x D, K >= 0, shared by all queries; or per_query(negatives), (N K) x D. With ids
  /// (Negatives::ids, KeyQueue::negatives) a query's sum leaves out negatives of its own id.
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                        CallOptions<S> call = {}) const {
    return run(nullptr, queries, keys, negatives, no_gradient, no_gradient, no_gradient, call);
  }

  /// Value and gradients in one go, cheaper than the two apart. Gradients (the shapes of their
  /// inputs) are those of the value returned; each may be `no_gradient` or `accumulate(buffer)`.
  /// With Reduction::none, those of the sum.
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, GradientRows<S> d_queries,
                                 GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, queries.rows());
    return run(&one, queries, keys, std::nullopt, d_queries, d_keys, call);
  }
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, Labels positives,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, queries.rows());
    return run(&one, queries, keys, positives, d_queries, d_keys, call);
  }
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, queries.rows());
    return run(&one, queries, keys, negatives, d_queries, d_keys, d_negatives, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none. Depends on nothing but its arguments: no forward need come before.
  InfoNceResult backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys,
                         GradientRows<S> d_queries, GradientRows<S> d_keys,
                         CallOptions<S> call = {}) const {
    return run(&upstream, queries, keys, std::nullopt, d_queries, d_keys, call);
  }
  InfoNceResult backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys, Labels positives,
                         GradientRows<S> d_queries, GradientRows<S> d_keys,
                         CallOptions<S> call = {}) const {
    return run(&upstream, queries, keys, positives, d_queries, d_keys, call);
  }
  InfoNceResult backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys,
                         Negatives<S> negatives, GradientRows<S> d_queries, GradientRows<S> d_keys,
                         GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return run(&upstream, queries, keys, negatives, d_queries, d_keys, d_negatives, call);
  }

 private:
  using RowsLoss = detail::SoftmaxRows<S, detail::nearness_sign<K>>;

  // Without upstream: forward only. Without positives: key i is query i's.
  InfoNceResult run(const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                    const std::optional<Labels>& positives, GradientRows<S> d_queries,
                    GradientRows<S> d_keys, CallOptions<S> call) const;
  InfoNceResult run(const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                    const Negatives<S>& negatives, GradientRows<S> d_queries,
                    GradientRows<S> d_keys, GradientRows<S> d_negatives, CallOptions<S> call) const;
  /// NegativeScores: what shows each query its negatives.
  template <class NegativeScores>
  InfoNceResult run_against(const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                            const Negatives<S>& negatives, GradientRows<S> d_queries,
                            GradientRows<S> d_keys, GradientRows<S> d_negatives,
                            CallOptions<S> call) const;

  InfoNceOptions options_;
  K kernel_;
};

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::run(const Upstream* upstream, const Rows<S>& queries,
                                 const Rows<S>& keys, const std::optional<Labels>& positives,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = queries.rows();
  if (!positives && keys.rows() < n) {
    fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  detail::check_rows<S>(kernel_, threads,
                        {{"queries", queries, Side::query}, {"keys", keys, Side::key}});
  const Index* column = nullptr;
  if (positives) column = detail::checked_indices(scratch, "positives", *positives, n, keys.rows());
  detail::refuse_unusable(options_.unusable_anchors, keys.rows() == 1 ? n : 0,
                          "without a negative");
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    d_queries.check_shape("d_queries", n, queries.cols());
    d_keys.check_shape("d_keys", keys.rows(), keys.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"queries", queries, Side::query}, {"keys", keys, Side::key}}});
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(1));
  const Upstream one(1.0);
  const RowsLoss loss(options_.temperature, options_.denominator, {.column = column},
                      upstream != nullptr ? *upstream : one);
  InfoNceResult result;
  Diagnostics seen;
  if (upstream == nullptr) {
    detail::reduce_softmax_rows(options_.reduction, walk.forward(loss, seen), n, seen, result);
    return result;
  }
  const auto* rows = walk.forward_backward(loss, batch.want(0, d_queries, call),
                                           batch.want(1, d_keys, call), seen);
  detail::reduce_softmax_rows(options_.reduction, rows, n, seen, result);
  const double scale = detail::gradient_scale(options_.reduction, result.diagnostics, *upstream);
  result.d_temperature = loss.temperature_gradient(rows, n, scale);
  batch.hand_back(scale, {&d_queries, &d_keys}, call);
  return result;
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::run(const Upstream* upstream, const Rows<S>& queries,
                                 const Rows<S>& keys, const Negatives<S>& negatives,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 GradientRows<S> d_negatives, CallOptions<S> call) const {
  return negatives.shared()
             ? run_against<detail::Walk<S, K>>(upstream, queries, keys, negatives, d_queries,
                                               d_keys, d_negatives, call)
             : run_against<detail::OwnKeys<S, K>>(upstream, queries, keys, negatives, d_queries,
                                                  d_keys, d_negatives, call);
}

template <class S, Kernel K>
template <class NegativeScores>
InfoNceResult InfoNce<S, K>::run_against(const Upstream* upstream, const Rows<S>& queries,
                                         const Rows<S>& keys, const Negatives<S>& negatives,
                                         GradientRows<S> d_queries, GradientRows<S> d_keys,
                                         GradientRows<S> d_negatives, CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = queries.rows();
  if (keys.rows() != n) {
    fail_argument("keys", "one key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  const Rows<S>& others = negatives.rows();
  negatives.check_count("negatives", n);
  // An empty set of negatives may come without columns.
  detail::check_rows<S>(kernel_, threads,
                        {{"queries", queries, Side::query},
                         {"keys", keys, Side::key},
                         {"negatives", others.rows() > 0 ? others : keys, Side::key}});
  const detail::Exclusions exclusions = detail::exclusions_of(scratch, negatives);
  detail::refuse_unusable(options_.unusable_anchors,
                          detail::queries_without_negative(negatives, n, exclusions),
                          "without a negative");
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    d_queries.check_shape("d_queries", n, queries.cols());
    d_keys.check_shape("d_keys", n, keys.cols());
    d_negatives.check_shape("d_negatives", others.rows(), others.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  detail::Batch<S, K, 3> batch(scratch, threads, kernel_,
                               {{{"queries", queries, Side::query},
                                 {"keys", keys, Side::key},
                                 {"negatives", others, Side::key}}});
  S* u = scratch.take<S>(n);
  S* positives = scratch.take<S>(n);
  detail::paired_scores(threads, kernel_, batch.rows(0), batch.rows(1), u, positives);
  NegativeScores walk(scratch, threads, kernel_, batch.rows(0), batch.rows(2), detail::Pairing::all,
                      exclusions);
  const Upstream one(1.0);
  const RowsLoss loss(options_.temperature, options_.denominator, {.paired = positives},
                      upstream != nullptr ? *upstream : one);
  InfoNceResult result;
  Diagnostics seen = detail::score_extremes<K>(positives, n);
  if (upstream == nullptr) {
    detail::reduce_softmax_rows(options_.reduction, walk.forward(loss, seen), n, seen, result);
    return result;
  }
  detail::RowGradients<S>& dq = batch.want(0, d_queries, call);
  detail::RowGradients<S>& dk = batch.want(1, d_keys, call);
  const auto* rows = walk.forward_backward(loss, dq, batch.want(2, d_negatives, call), seen);
  S* g = scratch.take<S>(n);
  for (Index i = 0; i < n; ++i) g[i] = loss.positive_gradient(rows[i], i);
  detail::add_paired_gradients(threads, kernel_, batch.rows(0), batch.rows(1), u, positives, g, dq,
                               dk);
  detail::reduce_softmax_rows(options_.reduction, rows, n, seen, result);
  const double scale = detail::gradient_scale(options_.reduction, result.diagnostics, *upstream);
  result.d_temperature = loss.temperature_gradient(rows, n, scale);
  batch.hand_back(scale, {&d_queries, &d_keys, &d_negatives}, call);
  return result;
}

/// The multi-class N-pair loss (Sohn, Improved deep metric learning with multi-class N-pair loss
/// objective, 2016, eq. 4), of anchors (N x D) and positives (N x D), one pair a class:
///
///     L_i = log(1 + sum_{j != i} exp(a_i . p_j - a_i . p_i))
///
/// which is InfoNCE of inner products at temperature 1. The paper's penalty on the rows' lengths
/// is the caller's to add.
template <class S>
class NPair : public InfoNce<S, InnerProduct> {
 public:
  explicit NPair(Reduction reduction = Reduction::mean)
      : InfoNce<S, InnerProduct>({.temperature = 1, .reduction = reduction}) {}
};

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, InfoNce)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, InfoNce)
#endif

}  // namespace nearfar
