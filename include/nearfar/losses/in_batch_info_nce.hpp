#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/numbers.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// The sums below the fraction if several directions are compared.
enum class Partition {
  joint,         ///< one sum over all directions
  per_direction  ///< a sum for each direction; the loss is the mean over the directions
};

/// The negatives whose logits increase by alpha times their own score.
enum class Hardness {
  none,
  in_batch_negatives,  ///< keys and negatives of other queries
  hard_negatives,      ///< the query's own negatives
  all_negatives        ///< both
};

/// Negatives that are left out because their score is near the positive's.
enum class FalseNegatives {
  keep,          ///< none is dropped
  drop,          ///< those with a score > s_ii - margin
  drop_relative  ///< those with a score > s_ii - margin |s_ii|
};

/// Settings of InBatchInfoNce.
struct InBatchInfoNceOptions {
  double temperature = 0.05;    ///< tau > 0: logits are scores / tau
  bool query_to_query = false;  ///< query i is compared with the other queries, too
  bool key_to_query = false;    ///< key i is compared with all queries, too
  bool key_to_key = false;      ///< key i is compared with the other keys, too
  Partition partition = Partition::joint;
  Hardness hardness = Hardness::none;
  double hardness_strength = 0;  ///< alpha >= 0
  FalseNegatives false_negatives = FalseNegatives::keep;
  double margin = 0;                      ///< finite, of either sign
  Reduction reduction = Reduction::mean;  ///< terms are queries
  /// A query is unusable when it has no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("query_to_query", o.query_to_query...);
    visit("key_to_query", o.key_to_query...);
    visit("key_to_key", o.key_to_key...);
    visit("partition", o.partition...);
    visit("hardness", o.hardness...);
    visit("hardness_strength", o.hardness_strength...);
    visit("false_negatives", o.false_negatives...);
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The optional inputs of InBatchInfoNce besides pairs of a query and a key. Views: the memory must
/// outlive the call.
template <class S>
struct InBatchExtras {
  /// Negatives of all queries, K x D. Those of per_query(rows) or per_query(rows, offsets) are
  /// negatives of all queries, too. Each belongs to one query: Hardness distinguishes them, and
  /// key_to_key does not compare a key with negatives of its own query.
  Negatives<S> negatives = {};
  /// Ids of the pairs, `Targets().ids(ids)`: no query or key is compared with the query or the key
  /// of another pair of the same id.
  Targets targets = {};
  /// A guide's embeddings of the same rows, of any number of columns, N, N and K rows. Their
  /// cosines decide, in place of the scores, which negatives are false ones.
  Rows<S> guide_queries = {};
  Rows<S> guide_keys = {};
  Rows<S> guide_negatives = {};
  /// Logarithms of the sampling probabilities of keys (N) and negatives (K).
  Numbers<double> log_q = {};
  Numbers<double> log_q_negatives = {};
};

namespace detail {

/// The third set holds the rows of the negatives.
template <class S>
TemperatureResult evaluate(const InBatchInfoNceOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 3>& inputs, const InBatchExtras<S>& extras);

}  // namespace detail

/// InfoNCE of pairs, with extensions for in-batch negatives. For N queries q_i and keys k_i (both
/// N x D), scores s of kernel K (minus the distance for distances) and temperature tau,
///
///     L_i = -log( exp(s(q_i, k_i) / tau) / Z_i )
///     Z_i = sum_j exp(s(q_i, k_j) / tau)                           always
///         + sum_{j != i} exp(s(q_i, q_j) / tau)                    query_to_query
///         + sum_j exp(s(k_i, q_j) / tau)                           key_to_query
///         + sum_{j != i} exp(s(k_i, k_j) / tau)                    key_to_key
///
/// With all four sums this is the improved contrastive loss of GTE (Li et al. 2023,
/// arXiv:2308.03281); the positive counts in each sum that contains it. With
/// Partition::per_direction each sum is a Z of its own, and L_i is the mean of the directions'
/// losses.
///
/// Negatives (K x D) join the keys: the sum over keys always includes all of them, and the sum of
/// key_to_key those that do not belong to query i.
///
/// Hardness adds alpha s to the logits of the negatives that it names, where queries are compared
/// with keys and negatives. The summand has no gradient (Lan et al. 2025, arXiv:2503.04812, eq. 5;
/// Schechter Vera et al. 2025, arXiv:2509.20354).
///
/// FalseNegatives::drop leaves negatives out of Z_i whose score is above the positive's score minus
/// a margin. With a guide its cosines g decide, g(a, b) > g(q_i, k_i) - margin (GISTEmbed:
/// Solatorio 2024, arXiv:2402.16829, with query_to_query and key_to_key). The decision has no
/// gradient; `diagnostics.false_negatives` counts the pairs left out.
///
/// `log_q` lowers each key's logit by the logarithm of its sampling probability (Yi et al.,
/// Sampling-bias-corrected neural modeling, 2019).
///
/// Other names: MultipleNegativesRankingLoss, GISTEmbedLoss. InfoNce is faster if none of these
/// options is needed.
///
/// Terms are queries: Reduction::mean divides by N; none gives N values. A call has a block of
/// scores for each direction, and one more for each direction with negatives. Each of B blocks
/// takes 6 N M D floating point operations for M keys, and 2 N M G for a guide of G columns. Extra
/// memory O((N + K) D). An object is immutable and may be shared by threads, each with its own
/// Workspace. Results have the same bits at any number of threads.
///
/// Kernels: all. A kernel that treats queries and keys differently (Bilinear) has no other
/// direction than queries with keys.
template <class S, Kernel K = Cosine>
class InBatchInfoNce {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0, the strength finite and
  /// >= 0, the margin finite, and the kernel fits the directions.
  explicit InBatchInfoNce(InBatchInfoNceOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
    check_not_negative("hardness_strength", options.hardness_strength);
    check_scale<S>("1 + hardness_strength temperature",
                   1 + options.hardness_strength * options.temperature);
    check_offset<S>("margin", options.margin);
    if (!is_symmetric<K>() &&
        (options.query_to_query || options.key_to_query || options.key_to_key)) {
      fail_argument("kernel", "one that treats both rows alike for these directions",
                    "one that does not");
    }
  }

  const InBatchInfoNceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries and keys, both N x D; row i of one belongs to row i of the other. An empty
  /// batch has value 0. Throws std::invalid_argument on shapes that do not fit, std::domain_error
  /// on an element that is not finite or a logit that does not fit S.
  TemperatureResult forward(Rows<S> queries, Rows<S> keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, {}}, {}, false, call}, {});
  }
  /// The same with negatives, ids, a guide or sampling probabilities.
  TemperatureResult forward(Rows<S> queries, Rows<S> keys, const InBatchExtras<S>& extras,
                            CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, extras.negatives.rows()}, {}, false, call}, extras);
  }

  /// Value and gradients (the shapes of their inputs), times `call.upstream`: one number, or N
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  TemperatureResult forward_backward(Rows<S> queries, Rows<S> keys, GradientRows<S> d_queries,
                                     GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys, {}}, {d_queries, d_keys, {}}, true, call}, {});
  }
  TemperatureResult forward_backward(Rows<S> queries, Rows<S> keys, const InBatchExtras<S>& extras,
                                     GradientRows<S> d_queries, GradientRows<S> d_keys,
                                     GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return evaluate(
        {{queries, keys, extras.negatives.rows()}, {d_queries, d_keys, d_negatives}, true, call},
        extras);
  }

 private:
  TemperatureResult evaluate(const detail::Inputs<S, 3>& inputs,
                             const InBatchExtras<S>& extras) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, extras);
  }

  InBatchInfoNceOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/in_batch_info_nce.hpp"
#endif
