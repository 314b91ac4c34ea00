#pragma once

#include <cmath>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/numbers.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/terms/logistic_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/own_keys.hpp"
#include "nearfar/tiles/paired_rows.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of Nce.
struct NceOptions {
  double temperature = 1;                 ///< tau > 0: the model's log density is s / tau - log Z
  double log_z = 0;                       ///< log of the model's partition function
  Reduction reduction = Reduction::mean;  ///< terms are queries, each with its key and all noise
};

/// Settings of NegativeSampling.
struct NegativeSamplingOptions {
  double temperature = 1;                 ///< tau > 0: logits are s / tau
  Reduction reduction = Reduction::mean;  ///< terms are queries
};

/// What Nce and NegativeSampling return.
struct NceResult : TemperatureResult {
  double d_log_z = 0;  ///< dL/d(log Z) (times upstream); 0 from forward
};

namespace detail {

/// Logistic losses of each query's own key against noise: the pass that NCE and negative sampling
/// are. Offsets are subtracted from the logits; null: none. NegativeScores: what shows each query
/// its negatives.
template <class NegativeScores, class S, Kernel K>
NceResult noise_contrast(const K& kernel, double temperature, Reduction reduction,
                         const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                         const Rows<S>& negatives, double offset, const S* key_offsets,
                         const S* negative_offsets, GradientRows<S> d_queries,
                         GradientRows<S> d_keys, GradientRows<S> d_negatives, CallOptions<S> call,
                         Scratch& scratch, int threads) {
  const Index n = queries.rows();
  if (upstream != nullptr) {
    check_upstream(*upstream, reduction, n);
    d_queries.check_shape("d_queries", n, queries.cols());
    d_keys.check_shape("d_keys", n, keys.cols());
    d_negatives.check_shape("d_negatives", negatives.rows(), negatives.cols());
    check_parameter_gradient<S>(kernel, call);
  }
  Batch<S, K, 3> batch(scratch, threads, kernel,
                       {{{"queries", queries, Side::query},
                         {"keys", keys, Side::key},
                         {"negatives", negatives, Side::key}}});
  S* u = scratch.take<S>(n);
  S* positives = scratch.take<S>(n);
  paired_scores(threads, kernel, batch.rows(0), batch.rows(1), u, positives);
  S* biases = nullptr;
  if (negative_offsets != nullptr) {
    biases = scratch.take<S>(negatives.rows());
    for (Index j = 0; j < negatives.rows(); ++j) biases[j] = -negative_offsets[j];
  }
  NegativeScores walk(scratch, threads, kernel, batch.rows(0), batch.rows(2));
  const Upstream one(1.0);
  const Upstream& above = upstream != nullptr ? *upstream : one;
  const LogisticRows<S> loss({.scale = 1 / temperature, .bias = -offset, .key_bias = biases},
                             above);

  NceResult result;
  Diagnostics& d = result.diagnostics;
  d = score_extremes<K>(positives, n);
  d.anchors = d.terms = n;
  d.anchors_without_negative = negatives.rows() == 0 ? n : 0;
  RowGradients<S> none;
  RowGradients<S>& dq = upstream != nullptr ? batch.want(0, d_queries, call) : none;
  RowGradients<S>& dk = upstream != nullptr ? batch.want(1, d_keys, call) : none;
  const LogisticRow* rows =
      upstream == nullptr ? walk.forward(loss, d)
                          : walk.forward_backward(loss, dq, batch.want(2, d_negatives, call), d);

  const auto own = [&](Index i) {
    const double key_offset = key_offsets != nullptr ? static_cast<double>(key_offsets[i]) : 0;
    return Softplus<double>(offset + key_offset - static_cast<double>(positives[i]) / temperature);
  };
  const auto value_of = [&](Index i) { return rows[i].value + own(i).value; };
  for (Index i = 0; i < n; ++i) {
    if (value_of(i) > 0) ++d.active_terms;
  }
  reduce_rows(reduction, n, value_of, result);
  if (upstream == nullptr) return result;

  const double scale = gradient_scale(reduction, d, *upstream);
  S* g = scratch.take<S>(n);
  double d_inverse = 0;  // with respect to 1 / tau
  for (Index i = 0; i < n; ++i) {
    const double dz = -own(i).slope * row_upstream(above, i);
    g[i] = static_cast<S>(dz / temperature);
    d_inverse += rows[i].d_scale + dz * static_cast<double>(positives[i]);
    result.d_log_z -= rows[i].d_bias + dz;
  }
  result.d_log_z *= scale;
  result.d_temperature = -scale * d_inverse / (temperature * temperature);
  add_paired_gradients(threads, kernel, batch.rows(0), batch.rows(1), u, positives, g, dq, dk);
  batch.hand_back(scale, {&d_queries, &d_keys, &d_negatives}, call);
  return result;
}

/// The same, whoever the negatives are for.
template <class S, Kernel K>
NceResult noise_contrast(const K& kernel, double temperature, Reduction reduction,
                         const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                         const Negatives<S>& negatives, double offset, const S* key_offsets,
                         const S* negative_offsets, GradientRows<S> d_queries,
                         GradientRows<S> d_keys, GradientRows<S> d_negatives, CallOptions<S> call,
                         Scratch& scratch, int threads) {
  const auto run =
      negatives.shared() ? noise_contrast<Walk<S, K>, S, K> : noise_contrast<OwnKeys<S, K>, S, K>;
  return run(kernel, temperature, reduction, upstream, queries, keys, negatives.rows(), offset,
             key_offsets, negative_offsets, d_queries, d_keys, d_negatives, call, scratch, threads);
}

template <class S, Kernel K>
void check_noise_contrast(const K& kernel, int threads, const Rows<S>& queries, const Rows<S>& keys,
                          const Negatives<S>& negatives) {
  if (keys.rows() != queries.rows()) {
    fail_argument("keys", "one key for each of " + std::to_string(queries.rows()) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  if (negatives.has_ids()) {
    fail_argument("negatives", "all of the noise: its distribution includes a query's own key",
                  "ids");
  }
  negatives.check_count("negatives", queries.rows());
  const Rows<S>& rows = negatives.rows();
  check_rows<S>(kernel, threads,
                {{"queries", queries, Side::query},
                 {"keys", keys, Side::key},
                 {"negatives", rows.rows() > 0 ? rows : keys, Side::key}});
}

}  // namespace detail

/// Noise-contrastive estimation: an unnormalised model log p(k | q) = s(q, k) / tau - log Z is
/// fitted by telling data from K noise samples whose distribution p_n is known (Gutmann &
/// Hyvarinen, Noise-contrastive estimation, 2010, eq. 3; with shared noise samples for language
/// models Mnih & Teh, 2012, eq. 8):
///
///     L_i = softplus(-D(q_i, k_i)) + sum_{j = 1..K} softplus(D(q_i, n_j)),
///     D(q, x) = s(q, x) / tau - log Z - log(K p_n(x)),   softplus(z) = log(1 + e^z)
///
/// all in log space. log Z is fixed or learnt: its gradient is in the result. The noise samples are
/// shared by all queries, or each query's own: per_query. This is the binary form; the ranking
/// form, in which one key is picked out of 1 + K, is InfoNce (Jozefowicz et al. 2016; Ma & Collins
/// 2018 call it ranking NCE).
///
/// Terms are queries. Extra memory O((N + K) D). Immutable; shared by threads each with its own
/// Workspace; the same bits at any number of threads.
template <class S, Kernel K = InnerProduct>
class Nce {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: Nce needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0 and log_z finite.
  explicit Nce(NceOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_positive("temperature", options.temperature);
    check_finite_option("log_z", options.log_z);
  }

  const NceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) with keys (N x D), key i the data for query i, against negatives
  /// drawn from the noise: K x D, shared by all queries, or per_query(negatives), (N K) x D.
  /// log_noise_keys (N) and log_noise_negatives (one a row) are log p_n of keys and negatives.
  /// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that
  /// is not finite.
  NceResult forward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                    Numbers<S> log_noise_keys, Numbers<S> log_noise_negatives,
                    CallOptions<S> call = {}) const {
    return run(nullptr, queries, keys, negatives, log_noise_keys, log_noise_negatives, no_gradient,
               no_gradient, no_gradient, call);
  }

  /// Value and the gradients of it, in the shapes of their inputs.
  NceResult forward_backward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                             Numbers<S> log_noise_keys, Numbers<S> log_noise_negatives,
                             GradientRows<S> d_queries, GradientRows<S> d_keys,
                             GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, queries.rows());
    return run(&one, queries, keys, negatives, log_noise_keys, log_noise_negatives, d_queries,
               d_keys, d_negatives, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  NceResult backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys,
                     Negatives<S> negatives, Numbers<S> log_noise_keys,
                     Numbers<S> log_noise_negatives, GradientRows<S> d_queries,
                     GradientRows<S> d_keys, GradientRows<S> d_negatives,
                     CallOptions<S> call = {}) const {
    return run(&upstream, queries, keys, negatives, log_noise_keys, log_noise_negatives, d_queries,
               d_keys, d_negatives, call);
  }

 private:
  NceResult run(const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                const Negatives<S>& negatives, const Numbers<S>& log_noise_keys,
                const Numbers<S>& log_noise_negatives, GradientRows<S> d_queries,
                GradientRows<S> d_keys, GradientRows<S> d_negatives, CallOptions<S> call) const;

  NceOptions options_;
  K kernel_;
};

template <class S, Kernel K>
NceResult Nce<S, K>::run(const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                         const Negatives<S>& negatives, const Numbers<S>& log_noise_keys,
                         const Numbers<S>& log_noise_negatives, GradientRows<S> d_queries,
                         GradientRows<S> d_keys, GradientRows<S> d_negatives,
                         CallOptions<S> call) const {
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_noise_contrast(kernel_, threads, queries, keys, negatives);
  check_numbers("log_noise_keys", log_noise_keys, keys.rows());
  check_numbers("log_noise_negatives", log_noise_negatives, negatives.rows().rows());
  const Index samples = negatives.per_query(queries.rows());
  const double log_count = samples > 0 ? std::log(static_cast<double>(samples)) : 0;
  return detail::noise_contrast(kernel_, options_.temperature, options_.reduction, upstream,
                                queries, keys, negatives, options_.log_z + log_count,
                                log_noise_keys.data(), log_noise_negatives.data(), d_queries,
                                d_keys, d_negatives, call, scratch, threads);
}

/// Negative sampling, word2vec's simplification of NCE without the noise's probabilities
/// (Mikolov et al., Distributed representations of words and phrases, 2013, eq. 4):
///
///     L_i = -log sigmoid(s(q_i, k_i) / tau) - sum_j log sigmoid(-s(q_i, n_j) / tau)
///
/// which is Nce where log Z + log(K p_n) = 0 for every sample. Terms are queries; otherwise as Nce.
template <class S, Kernel K = InnerProduct>
class NegativeSampling {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: NegativeSampling needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit NegativeSampling(NegativeSamplingOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_positive("temperature", options.temperature);
  }

  const NegativeSamplingOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) with keys (N x D) against negatives: K x D, shared
  /// by all, or per_query(negatives), (N K) x D.
  TemperatureResult forward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                            CallOptions<S> call = {}) const {
    return run(nullptr, queries, keys, negatives, no_gradient, no_gradient, no_gradient, call);
  }

  /// Value and the gradients of it, in the shapes of their inputs.
  TemperatureResult forward_backward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                                     GradientRows<S> d_queries, GradientRows<S> d_keys,
                                     GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, queries.rows());
    return run(&one, queries, keys, negatives, d_queries, d_keys, d_negatives, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  TemperatureResult backward(const Upstream& upstream, Rows<S> queries, Rows<S> keys,
                             Negatives<S> negatives, GradientRows<S> d_queries,
                             GradientRows<S> d_keys, GradientRows<S> d_negatives,
                             CallOptions<S> call = {}) const {
    return run(&upstream, queries, keys, negatives, d_queries, d_keys, d_negatives, call);
  }

 private:
  TemperatureResult run(const Upstream* upstream, const Rows<S>& queries, const Rows<S>& keys,
                        const Negatives<S>& negatives, GradientRows<S> d_queries,
                        GradientRows<S> d_keys, GradientRows<S> d_negatives,
                        CallOptions<S> call) const;

  NegativeSamplingOptions options_;
  K kernel_;
};

template <class S, Kernel K>
TemperatureResult NegativeSampling<S, K>::run(const Upstream* upstream, const Rows<S>& queries,
                                              const Rows<S>& keys, const Negatives<S>& negatives,
                                              GradientRows<S> d_queries, GradientRows<S> d_keys,
                                              GradientRows<S> d_negatives,
                                              CallOptions<S> call) const {
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_noise_contrast(kernel_, threads, queries, keys, negatives);
  return detail::noise_contrast<S>(kernel_, options_.temperature, options_.reduction, upstream,
                                   queries, keys, negatives, 0, nullptr, nullptr, d_queries, d_keys,
                                   d_negatives, call, scratch, threads);
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, Nce)
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, NegativeSampling)
#endif

}  // namespace nearfar
