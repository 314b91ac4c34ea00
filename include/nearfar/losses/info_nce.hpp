#pragma once

#include <cmath>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/paired_rows.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of InfoNce.
struct InfoNceOptions {
  double temperature = 0.07;              ///< tau > 0: logits are scores / tau
  Reduction reduction = Reduction::mean;  ///< terms are queries
  /// A query is unusable when there is no negative to tell its key from.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// What InfoNce returns: Result, and the gradient with respect to the temperature.
struct InfoNceResult : Result {
  double d_temperature = 0;  ///< dL/dtau (times upstream); 0 from forward
};

namespace detail {

/// Statistics of one query: a log-sum-exp over its negatives, relative to the best score, and the
/// score of its positive apart, so that neither the loss nor the positive's gradient is a
/// difference of nearly equal numbers when the positive wins.
template <class S>
struct InfoNceRow {
  S best;              ///< largest nearness (score, or minus distance) so far
  S positive;          ///< nearness of the positive
  double others;       ///< sum over negatives of exp((nearness - best) / tau)
  double own;          ///< exp((positive - best) / tau)
  double value;        ///< the query's loss
  double temperature;  ///< sum over negatives of g_j (s_j - s_positive)
  std::int64_t negatives;
};

/// InfoNCE as the walk sees it. The positive of query i is column i of the walk or, when
/// `paired` is not null, lies outside of it with score paired[i].
template <class S, int sign>
class InfoNceRows {
 public:
  using Row = InfoNceRow<S>;

  InfoNceRows(double temperature, const S* paired, const Upstream& upstream)
      : inverse_(static_cast<S>(1 / temperature)), paired_(paired), upstream_(upstream) {}

  Row start(Index i) const {
    const S lowest = -std::numeric_limits<S>::infinity();
    Row row{lowest, lowest, 0, 0, 0, 0, 0};
    if (paired_ != nullptr) row.best = row.positive = S(sign) * paired_[i];
    return row;
  }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    if (!holds_positive(i, first, n)) {
      observe_negatives(row, n, s);
      return;
    }
    const Index at = i - first;
    row.positive = S(sign) * s[at];
    observe_negatives(row, at, s);
    observe_negatives(row, n - at - 1, s + at + 1);
  }

  void close(Row& row, Index) const {
    if (row.positive > row.best) {
      row.others *= std::exp(scaled(row.best - row.positive));
      row.best = row.positive;
    }
    const double below = scaled(row.positive - row.best);
    row.own = std::exp(below);
    // log(own + others) - log(own), by the form that keeps the digits.
    row.value =
        row.own > 0.5 ? std::log1p(row.others / row.own) : std::log(row.own + row.others) - below;
  }

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    // dL_i/ds_ij = sign / tau * (p_ij - [j is the positive]).
    if (!holds_positive(i, first, n)) {
      differentiate_negatives(row, i, n, s, g);
      return;
    }
    const Index at = i - first;
    differentiate_negatives(row, i, at, s, g);
    g[at] = positive_gradient(row, i);
    differentiate_negatives(row, i, n - at - 1, s + at + 1, g + at + 1);
  }

  /// dL_i/d(score of the positive): minus the negatives' share of the softmax, so that a row's
  /// gradients sum to zero.
  S positive_gradient(const Row& row, Index i) const {
    return static_cast<S>(-weight(row, i) * row.others);
  }

  /// Sum over a row of g_j s_j = sum over negatives of g_j (s_j - s_positive).
  static double score_gradient(const Row& row) { return row.temperature; }

 private:
  using Scores = Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>>;

  bool holds_positive(Index i, Index first, Index n) const {
    return paired_ == nullptr && i >= first && i < first + n;
  }

  double scaled(S difference) const {
    return static_cast<double>(difference) * static_cast<double>(inverse_);
  }

  double weight(const Row& row, Index i) const {
    return sign * static_cast<double>(inverse_) * row_upstream(upstream_, i) /
           (row.own + row.others);
  }

  void observe_negatives(Row& row, Index n, const S* s) const {
    if (n <= 0) return;
    const Scores v(s, n);
    const S best = sign > 0 ? v.maxCoeff() : -v.minCoeff();
    if (best > row.best) {
      row.others *= std::exp(scaled(row.best - best));
      row.best = best;
    }
    // Differences first, temperature after: digits of large scores are not lost to the quotient.
    row.others += static_cast<double>(((S(sign) * v - row.best) * inverse_).exp().sum());
    row.negatives += n;
  }

  void differentiate_negatives(Row& row, Index i, Index n, const S* s, S* g) const {
    if (n <= 0) return;
    const Scores v(s, n);
    Eigen::Map<Eigen::Array<S, Eigen::Dynamic, 1>> out(g, n);
    out = ((S(sign) * v - row.best) * inverse_).exp() * static_cast<S>(weight(row, i));
    row.temperature += static_cast<double>((out * (v - S(sign) * row.positive)).sum());
  }

  S inverse_;
  const S* paired_;
  const Upstream& upstream_;
};

}  // namespace detail

/// InfoNCE: pick the positive out of all keys.
///
/// For N queries (N x D) and M keys (M x D, M >= N), key i the positive of query i and all other
/// keys its negatives, with scores s_ij of the kernel K (minus the distance for kernels that are
/// distances) and temperature tau,
///
///     L_i = -log( exp(s_ii / tau) / sum_j exp(s_ij / tau) )
///
/// (van den Oord et al., Representation learning with contrastive predictive coding, 2018, eq. 4;
/// the same as cross entropy over s / tau with target i). With explicit negatives (K x D, shared by
/// all queries; keys N x D) the sum runs over the query's own key and the negatives: MoCo's 1 + K
/// logits (He et al. 2020, eq. 1).
///
/// Terms are queries: Reduction::mean divides by N, mean_nonzero by the number of L_i > 0.
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
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, CallOptions<S> call = {}) const;

  /// The loss of queries (N x D) with keys (N x D, key i the positive of query i) against
  /// negatives (K x D, K >= 0) shared by all queries.
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, Rows<S> negatives,
                        CallOptions<S> call = {}) const;

  /// Value and gradients in one go, cheaper than the two apart. Gradients (the shapes of their
  /// inputs) are those of the value returned; each may be `no_gradient` or `accumulate(buffer)`.
  /// With Reduction::none, those of the sum.
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, GradientRows<S> d_queries,
                                 GradientRows<S> d_keys, CallOptions<S> call = {}) const;
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, Rows<S> negatives,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 GradientRows<S> d_negatives, CallOptions<S> call = {}) const;

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none. Depends on nothing but its arguments: no forward need come before.
  InfoNceResult backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys,
                         GradientRows<S> d_queries, GradientRows<S> d_keys,
                         CallOptions<S> call = {}) const;
  InfoNceResult backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys, Rows<S> negatives,
                         GradientRows<S> d_queries, GradientRows<S> d_keys,
                         GradientRows<S> d_negatives, CallOptions<S> call = {}) const;

 private:
  using Row = detail::InfoNceRow<S>;
  using RowsLoss = detail::InfoNceRows<S, detail::nearness_sign<K>>;

  void check_in_batch(const Rows<S>& queries, const Rows<S>& keys, int threads) const;
  void check_negatives(const Rows<S>& queries, const Rows<S>& keys, const Rows<S>& negatives,
                       int threads) const;
  InfoNceResult summarise(const Row* rows, Index count, const Diagnostics& seen) const;
  void finish_temperature(const Row* rows, Index count, double scale, InfoNceResult& result) const;

  InfoNceOptions options_;
  K kernel_;
};

template <class S, Kernel K>
void InfoNce<S, K>::check_in_batch(const Rows<S>& queries, const Rows<S>& keys, int threads) const {
  if (keys.rows() < queries.rows()) {
    fail_argument("keys", "a key for each of " + std::to_string(queries.rows()) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  detail::check_rows<S>(
      kernel_, threads,
      {{"queries", queries, detail::Side::query}, {"keys", keys, detail::Side::key}});
  detail::refuse_unusable(options_.unusable_anchors, keys.rows() == 1 ? queries.rows() : 0,
                          "without a negative");
}

template <class S, Kernel K>
void InfoNce<S, K>::check_negatives(const Rows<S>& queries, const Rows<S>& keys,
                                    const Rows<S>& negatives, int threads) const {
  if (keys.rows() != queries.rows()) {
    fail_argument("keys", "one key for each of " + std::to_string(queries.rows()) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  // An empty set of negatives may come without columns.
  const Rows<S>& third = negatives.rows() > 0 ? negatives : keys;
  detail::check_rows<S>(kernel_, threads,
                        {{"queries", queries, detail::Side::query},
                         {"keys", keys, detail::Side::key},
                         {"negatives", third, detail::Side::key}});
  detail::refuse_unusable(options_.unusable_anchors, negatives.rows() == 0 ? queries.rows() : 0,
                          "without a negative");
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::summarise(const Row* rows, Index count,
                                       const Diagnostics& seen) const {
  InfoNceResult result;
  result.diagnostics = seen;
  Diagnostics& d = result.diagnostics;
  d.anchors = d.terms = count;
  for (Index i = 0; i < count; ++i) {
    if (rows[i].negatives == 0) ++d.anchors_without_negative;
    if (rows[i].value > 0) ++d.active_terms;
  }
  detail::reduce_rows(
      options_.reduction, count, [&](Index i) { return rows[i].value; }, result);
  return result;
}

template <class S, Kernel K>
void InfoNce<S, K>::finish_temperature(const Row* rows, Index count, double scale,
                                       InfoNceResult& result) const {
  // s / tau: dL/dtau = -1/tau sum_ij dL/ds_ij s_ij.
  double sum = 0;
  for (Index i = 0; i < count; ++i) sum += RowsLoss::score_gradient(rows[i]);
  result.d_temperature = -scale * sum / options_.temperature;
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::forward(Rows<S> queries, Rows<S> keys, CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  check_in_batch(queries, keys, threads);
  if (queries.rows() == 0) return {};

  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"queries", queries, Side::query}, {"keys", keys, Side::key}}});
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(1),
                          detail::Pairing::all);
  const Upstream one(1.0);
  Diagnostics seen;
  const Row* rows = walk.forward(RowsLoss(options_.temperature, nullptr, one), seen);
  return summarise(rows, queries.rows(), seen);
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys,
                                      GradientRows<S> d_queries, GradientRows<S> d_keys,
                                      CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  check_in_batch(queries, keys, threads);
  detail::check_upstream(upstream, options_.reduction, queries.rows());
  d_queries.check_shape("d_queries", queries.rows(), queries.cols());
  d_keys.check_shape("d_keys", keys.rows(), keys.cols());
  detail::check_parameter_gradient<S>(kernel_, call);

  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"queries", queries, Side::query}, {"keys", keys, Side::key}}});
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(1),
                          detail::Pairing::all);
  Diagnostics seen;
  const Row* rows =
      walk.forward_backward(RowsLoss(options_.temperature, nullptr, upstream),
                            batch.want(0, d_queries, call), batch.want(1, d_keys, call), seen);
  InfoNceResult result = summarise(rows, queries.rows(), seen);
  const double scale = detail::gradient_scale(options_.reduction, result.diagnostics, upstream);
  finish_temperature(rows, queries.rows(), scale, result);
  batch.hand_back(scale, {&d_queries, &d_keys}, call);
  return result;
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::forward(Rows<S> queries, Rows<S> keys, Rows<S> negatives,
                                     CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  check_negatives(queries, keys, negatives, threads);
  if (queries.rows() == 0) return {};

  detail::Batch<S, K, 3> batch(scratch, threads, kernel_,
                               {{{"queries", queries, Side::query},
                                 {"keys", keys, Side::key},
                                 {"negatives", negatives, Side::key}}});
  S* u = scratch.take<S>(queries.rows());
  S* positives = scratch.take<S>(queries.rows());
  detail::paired_scores(threads, kernel_, batch.rows(0), batch.rows(1), u, positives);
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(2),
                          detail::Pairing::all);
  const Upstream one(1.0);
  Diagnostics seen = detail::score_extremes<K>(positives, queries.rows());
  const Row* rows = walk.forward(RowsLoss(options_.temperature, positives, one), seen);
  return summarise(rows, queries.rows(), seen);
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys,
                                      Rows<S> negatives, GradientRows<S> d_queries,
                                      GradientRows<S> d_keys, GradientRows<S> d_negatives,
                                      CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  check_negatives(queries, keys, negatives, threads);
  detail::check_upstream(upstream, options_.reduction, queries.rows());
  d_queries.check_shape("d_queries", queries.rows(), queries.cols());
  d_keys.check_shape("d_keys", keys.rows(), keys.cols());
  d_negatives.check_shape("d_negatives", negatives.rows(), negatives.cols());
  detail::check_parameter_gradient<S>(kernel_, call);

  detail::Batch<S, K, 3> batch(scratch, threads, kernel_,
                               {{{"queries", queries, Side::query},
                                 {"keys", keys, Side::key},
                                 {"negatives", negatives, Side::key}}});
  const Index count = queries.rows();
  S* u = scratch.take<S>(count);
  S* positives = scratch.take<S>(count);
  detail::paired_scores(threads, kernel_, batch.rows(0), batch.rows(1), u, positives);
  detail::RowGradients<S>& dq = batch.want(0, d_queries, call);
  detail::RowGradients<S>& dk = batch.want(1, d_keys, call);
  detail::RowGradients<S>& dn = batch.want(2, d_negatives, call);
  const RowsLoss loss(options_.temperature, positives, upstream);
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(2),
                          detail::Pairing::all);
  Diagnostics seen = detail::score_extremes<K>(positives, count);
  const Row* rows = walk.forward_backward(loss, dq, dn, seen);

  S* g = scratch.take<S>(count);
  for (Index i = 0; i < count; ++i) g[i] = loss.positive_gradient(rows[i], i);
  detail::add_paired_gradients(threads, kernel_, batch.rows(0), batch.rows(1), u, positives, g, dq,
                               dk);
  InfoNceResult result = summarise(rows, count, seen);
  const double scale = detail::gradient_scale(options_.reduction, result.diagnostics, upstream);
  finish_temperature(rows, count, scale, result);
  batch.hand_back(scale, {&d_queries, &d_keys, &d_negatives}, call);
  return result;
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::forward_backward(Rows<S> queries, Rows<S> keys,
                                              GradientRows<S> d_queries, GradientRows<S> d_keys,
                                              CallOptions<S> call) const {
  return backward(detail::unit_upstream(options_.reduction, queries.rows()), queries, keys,
                  d_queries, d_keys, call);
}

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::forward_backward(Rows<S> queries, Rows<S> keys, Rows<S> negatives,
                                              GradientRows<S> d_queries, GradientRows<S> d_keys,
                                              GradientRows<S> d_negatives,
                                              CallOptions<S> call) const {
  return backward(detail::unit_upstream(options_.reduction, queries.rows()), queries, keys,
                  negatives, d_queries, d_keys, d_negatives, call);
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, InfoNce)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, InfoNce)
#endif

}  // namespace nearfar
