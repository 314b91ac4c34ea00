#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/numbers.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of Nce.
struct NceOptions {
  double temperature = 1;                 ///< tau > 0: the model's log density is s / tau - log Z
  double log_z = 0;                       ///< log of the model's partition function
  Reduction reduction = Reduction::mean;  ///< terms are queries, each with its key and all noise

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("log_z", o.log_z...);
    visit("reduction", o.reduction...);
  }
};

/// Settings of NegativeSampling.
struct NegativeSamplingOptions {
  double temperature = 1;                 ///< tau > 0: logits are s / tau
  Reduction reduction = Reduction::mean;  ///< terms are queries

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("reduction", o.reduction...);
  }
};

/// The result of Nce and NegativeSampling.
struct NceResult : TemperatureResult {
  double d_log_z = 0;  ///< dL/d(log Z) (times upstream); 0 from forward
};

namespace detail {

/// The third set holds the rows of the negatives.
template <class S>
NceResult evaluate(const NceOptions& options, const KernelValue<S>& kernel,
                   const Inputs<S, 3>& inputs, const Negatives<S>& negatives,
                   const Numbers<S>& log_noise_keys, const Numbers<S>& log_noise_negatives);
template <class S>
TemperatureResult evaluate(const NegativeSamplingOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 3>& inputs, const Negatives<S>& negatives);

}  // namespace detail

/// Noise-contrastive estimation: a classifier of data against K samples of a known noise
/// distribution p_n fits an unnormalised model log p(k | q) = s(q, k) / tau - log Z (Gutmann &
/// Hyvarinen, Noise-contrastive estimation, 2010, eq. 3; with shared noise samples, for language
/// models, Mnih & Teh, 2012, eq. 8):
///
///     L_i = softplus(-D(q_i, k_i)) + sum_{j = 1..K} softplus(D(q_i, n_j)),
///     D(q, x) = s(q, x) / tau - log Z - log(K p_n(x)),   softplus(z) = log(1 + e^z)
///
/// All computation is in log space. log Z is fixed or learnt: its gradient is in the result. All
/// queries share the noise samples, or each query has its own: per_query. This is the binary form;
/// the ranking form, which picks one key out of 1 + K, is InfoNce (Jozefowicz et al. 2016; Ma &
/// Collins 2018 call it ranking NCE).
///
/// Terms are queries. Extra memory O((N + K) D). An object is immutable and may be shared by
/// threads, each with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = InnerProduct>
class Nce {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: Nce needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0 and log_z finite.
  explicit Nce(NceOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
    check_offset<S>("log_z", options.log_z);
  }

  const NceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) with keys (N x D), key i the data sample of query i, against
  /// negatives drawn from the noise: K x D, shared by all queries, or per_query(negatives), (N K) x
  /// D. log_noise_keys (N) and log_noise_negatives (one a row) are log p_n of keys and negatives.
  /// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that
  /// is not finite.
  NceResult forward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                    Numbers<S> log_noise_keys, Numbers<S> log_noise_negatives,
                    CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, negatives.rows()}, {}, false, call}, negatives, log_noise_keys,
                    log_noise_negatives);
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or N
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  NceResult forward_backward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                             Numbers<S> log_noise_keys, Numbers<S> log_noise_negatives,
                             GradientRows<S> d_queries, GradientRows<S> d_keys,
                             GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return evaluate(
        {{queries, keys, negatives.rows()}, {d_queries, d_keys, d_negatives}, true, call},
        negatives, log_noise_keys, log_noise_negatives);
  }

 private:
  NceResult evaluate(const detail::Inputs<S, 3>& inputs, const Negatives<S>& negatives,
                     const Numbers<S>& log_noise_keys,
                     const Numbers<S>& log_noise_negatives) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, negatives,
                            log_noise_keys, log_noise_negatives);
  }

  NceOptions options_;
  K kernel_;
};

/// Negative sampling, word2vec's simplification of NCE without the noise's probabilities (Mikolov
/// et al., Distributed representations of words and phrases, 2013, eq. 4):
///
///     L_i = -log sigmoid(s(q_i, k_i) / tau) - sum_j log sigmoid(-s(q_i, n_j) / tau)
///
/// It is Nce with log Z + log(K p_n) = 0 for every sample. Terms are queries. All else is as for
/// Nce.
template <class S, Kernel K = InnerProduct>
class NegativeSampling {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: NegativeSampling needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit NegativeSampling(NegativeSamplingOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const NegativeSamplingOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) with keys (N x D) against negatives: K x D, shared by all, or
  /// per_query(negatives), (N K) x D. Throws as Nce does.
  TemperatureResult forward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                            CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, negatives.rows()}, {}, false, call}, negatives);
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or N
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  TemperatureResult forward_backward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                                     GradientRows<S> d_queries, GradientRows<S> d_keys,
                                     GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return evaluate(
        {{queries, keys, negatives.rows()}, {d_queries, d_keys, d_negatives}, true, call},
        negatives);
  }

 private:
  TemperatureResult evaluate(const detail::Inputs<S, 3>& inputs,
                             const Negatives<S>& negatives) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, negatives);
  }

  NegativeSamplingOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/nce.hpp"
#endif
