#pragma once

#include <concepts>
#include <string>

#include "nearfar/core/denominator.hpp"
#include "nearfar/core/inputs.hpp"
#include "nearfar/core/labels.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of InfoNce.
struct InfoNceOptions {
  double temperature = 0.07;  ///< tau > 0: logits are scores / tau
  Denominator denominator = Denominator::with_positive;
  Reduction reduction = Reduction::mean;  ///< terms are queries
  /// A query is unusable when it has no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("denominator", o.denominator...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The result of InfoNce.
using InfoNceResult = TemperatureResult;

namespace detail {

/// Each query's positive, and the keys that it is not compared with.
struct InfoNceTargets {
  const Labels* positives;  ///< the number of each query's positive; null: key i is query i's
  const Targets& of_queries;
  const Targets& of_keys;
};

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 2>& inputs, const InfoNceTargets& targets);

/// The third set holds the rows of the negatives.
template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 3>& inputs, const Negatives<S>& negatives);

/// The fourth set holds each query's own negatives.
template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const Inputs<S, 4>& inputs, const Negatives<S>& negatives,
                       const Negatives<S>& own_negatives);

}  // namespace detail

/// InfoNCE: cross entropy of a query's positive among all keys.
///
/// For N queries (N x D) and M keys (M x D), key t(i) the positive of query i and all other keys
/// its negatives, with scores s_ij of the kernel K (minus the distance for kernels that are
/// distances) and temperature tau,
///
///     L_i = -log( exp(s_it(i) / tau) / sum_j exp(s_ij / tau) )
///
/// (van den Oord et al., Representation learning with contrastive predictive coding, 2018, eq. 4).
/// t(i) = i unless the call has `positives`. With explicit negatives (keys N x D) the sum runs over
/// the query's own key and the negatives. All queries share the negatives (K x D: MoCo's 1 + K
/// logits, He et al. 2020, eq. 1), or each query has its own. For several positives a query see
/// SupCon with PositiveLists.
///
/// With Denominator::negatives_only the positive is left out below the fraction (decoupled
/// contrastive learning, Yeh et al. 2022, eq. 6); values may then be negative. Other names: ranking
/// NCE (Ma & Collins 2018) and, with inner products at temperature 1, the N-pair loss: see NPair.
///
/// Terms are queries: Reduction::mean divides by N, mean_nonzero by the number of L_i != 0.
///
/// A call takes O((N + M) D) extra memory, without an N x M matrix, and 6 N M D floating point
/// operations forward and backward, 2 N M D forward. An object is immutable and may be shared by
/// threads, each with its own Workspace. Results have the same bits at any number of threads.
///
/// S is float or double. Kernels: Cosine (default), InnerProduct, SquaredEuclidean, Euclidean,
/// CosineDistance, Mahalanobis, Bilinear, or your own.
template <class S, Kernel K = Cosine>
class InfoNce {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit InfoNce(InfoNceOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const InfoNceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) against keys (M x D, M >= N, key i the positive of query i).
  /// An empty batch has value 0. Throws std::invalid_argument on shapes that do not fit,
  /// std::domain_error on an element that is not finite.
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {}, false, call}, {nullptr, {}, {}});
  }

  /// The loss of queries (N x D) against keys (M x D), key positives[i] the positive of query i (N
  /// integers from 0 to M - 1). Throws as above, and on an index out of range.
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, Labels positives,
                        CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {}, false, call}, {&positives, {}, {}});
  }

  /// The loss of N pairs with ids, `Targets().ids(ids)`: query i and key i both have id i. A
  /// query's sum leaves out other keys of its id; its own stays. Throws as above, and on labels,
  /// for which SupCon takes references. (A template, so that an argument of plain integers selects
  /// `positives`.)
  template <std::same_as<Targets> T>
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, const T& targets,
                        CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {}, false, call}, pairs(queries, keys, targets));
  }
  /// The same with ids of N queries and of M >= N keys.
  template <std::same_as<Targets> T>
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, const T& query_targets, const T& key_targets,
                        CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {}, false, call}, {nullptr, query_targets, key_targets});
  }
  /// The same with key positives[i] the positive of query i.
  template <std::same_as<Targets> T>
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, Labels positives, const T& query_targets,
                        const T& key_targets, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {}, false, call}, {&positives, query_targets, key_targets});
  }

  /// The loss of queries (N x D) with keys (N x D, key i the positive of query i) against
  /// negatives: K x D, K >= 0, shared by all queries; per_query(negatives), (N K) x D; or
  /// per_query(negatives, offsets), any number a query. With ids (Negatives::ids,
  /// KeyQueue::negatives) a query's sum leaves out negatives of its own id.
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                        CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, negatives.rows()}, {}, false, call}, negatives);
  }

  /// The same with negatives that all queries share (a queue; the keys themselves, with ids) and
  /// with each query's own (hard negatives, by per_query). Throws as above, and if the two are
  /// swapped. (A template so that `{}` is the options of a call.)
  template <std::same_as<Negatives<S>> N>
  InfoNceResult forward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                        const N& own_negatives, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, negatives.rows(), own_negatives.rows()}, {}, false, call},
                    negatives, own_negatives);
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or N
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, GradientRows<S> d_queries,
                                 GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {d_queries, d_keys}, true, call}, {nullptr, {}, {}});
  }
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, Labels positives,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {d_queries, d_keys}, true, call}, {&positives, {}, {}});
  }
  template <std::same_as<Targets> T>
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, const T& targets,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {d_queries, d_keys}, true, call},
                    pairs(queries, keys, targets));
  }
  template <std::same_as<Targets> T>
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, const T& query_targets,
                                 const T& key_targets, GradientRows<S> d_queries,
                                 GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {d_queries, d_keys}, true, call},
                    {nullptr, query_targets, key_targets});
  }
  template <std::same_as<Targets> T>
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, Labels positives,
                                 const T& query_targets, const T& key_targets,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {d_queries, d_keys}, true, call},
                    {&positives, query_targets, key_targets});
  }
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return evaluate(
        {{queries, keys, negatives.rows()}, {d_queries, d_keys, d_negatives}, true, call},
        negatives);
  }
  InfoNceResult forward_backward(Rows<S> queries, Rows<S> keys, Negatives<S> negatives,
                                 Negatives<S> own_negatives, GradientRows<S> d_queries,
                                 GradientRows<S> d_keys, GradientRows<S> d_negatives,
                                 GradientRows<S> d_own_negatives, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, negatives.rows(), own_negatives.rows()},
                     {d_queries, d_keys, d_negatives, d_own_negatives},
                     true,
                     call},
                    negatives, own_negatives);
  }

 private:
  /// Targets of both rows of each pair.
  static detail::InfoNceTargets pairs(const Rows<S>& queries, const Rows<S>& keys,
                                      const Targets& targets) {
    if (keys.rows() != queries.rows()) {
      fail_argument("keys", "as many as queries where both have the same targets",
                    std::to_string(keys.rows()) + " for " + std::to_string(queries.rows()));
    }
    return {nullptr, targets, targets};
  }
  InfoNceResult evaluate(const detail::Inputs<S, 2>& inputs,
                         const detail::InfoNceTargets& targets) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, targets);
  }
  InfoNceResult evaluate(const detail::Inputs<S, 3>& inputs, const Negatives<S>& negatives) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, negatives);
  }
  InfoNceResult evaluate(const detail::Inputs<S, 4>& inputs, const Negatives<S>& negatives,
                         const Negatives<S>& own_negatives) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, negatives,
                            own_negatives);
  }

  InfoNceOptions options_;
  K kernel_;
};

/// Settings of NPair.
struct NPairOptions {
  Reduction reduction = Reduction::mean;  ///< terms are anchors
  /// An anchor is unusable when the batch has no other.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("reduction", o.reduction...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The multi-class N-pair loss (Sohn, Improved deep metric learning with multi-class N-pair loss
/// objective, 2016, eq. 4), of anchors (N x D) and positives (N x D), one pair a class:
///
///     L_i = log(1 + sum_{j != i} exp(a_i . p_j - a_i . p_i))
///
/// which is InfoNCE of inner products at temperature 1. The paper's penalty on the rows' lengths is
/// not part of it.
template <class S>
class NPair : public InfoNce<S, InnerProduct> {
 public:
  explicit NPair(NPairOptions options = {})
      : InfoNce<S, InnerProduct>({.temperature = 1,
                                  .reduction = options.reduction,
                                  .unusable_anchors = options.unusable_anchors}) {}
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/info_nce.hpp"
#endif
