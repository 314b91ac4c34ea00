#pragma once

#include <span>

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of MaxSimInfoNce.
struct MaxSimInfoNceOptions {
  double temperature = 1;                 ///< tau > 0: logits are scores of documents / tau
  Reduction reduction = Reduction::mean;  ///< terms are queries
  /// A query is unusable when there is no other document.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

/// Offsets of the tokens of queries and of documents, as in the calls of MaxSimInfoNce.
struct TokenOffsets {
  std::span<const Index> queries;
  std::span<const Index> documents;
};

template <class S>
TemperatureResult evaluate(const MaxSimInfoNceOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const TokenOffsets& offsets);

}  // namespace detail

/// InfoNCE of late interaction: a query and a document are sets of tokens, one row each, and their
/// score is the sum over the query's tokens of the largest score with a token of the document
/// (Khattab & Zaharia, ColBERT: efficient and effective passage search via contextualized late
/// interaction over BERT, 2020, eq. 3). For Q queries and M >= Q documents, document i the positive
/// of query i and all other documents its negatives,
///
///     L_i = -log( exp(S_ii / tau) / sum_m exp(S_im / tau) ),
///     S_im = sum_u max_v s(q_iu, d_mv)
///
/// with scores s of kernel K. The gradient of a maximum goes to the token that attains it, the
/// first of several. A query without tokens has S_im = 0.
///
/// Terms are queries: Reduction::mean divides by Q; none gives Q values.
///
/// The tokens of all queries are the rows of one matrix, one query after another; those of query i
/// are rows offsets[i] .. offsets[i + 1] - 1. Documents likewise. Token scores never form a matrix:
/// a thread has one tile of them, and the positions of the maxima for a few queries at a time. For
/// T and U tokens of queries and documents, extra memory is O((T + U) D), and for each thread O(M)
/// for each token of 48 rows of queries, or of one query that has more. A call takes 2 T U D
/// floating point operations, and 4 T M D for the gradients. An object is immutable and may be
/// shared by threads, each with its own Workspace. Results have the same bits at any number of
/// threads.
///
/// S is float or double. Kernels: Cosine (default), InnerProduct.
template <class S, Kernel K = Cosine>
class MaxSimInfoNce {
  static_assert(std::same_as<K, Cosine> || std::same_as<K, InnerProduct>,
                "nearfar: MaxSimInfoNce compares tokens by Cosine or InnerProduct");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit MaxSimInfoNce(MaxSimInfoNceOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const MaxSimInfoNceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (tokens T x D, Q + 1 offsets) against documents (tokens U x D, M + 1
  /// offsets, M >= Q, at least one token a document). Without queries the value is 0. Throws
  /// std::invalid_argument on shapes that do not fit, and unless offsets ascend from 0 to the
  /// number of tokens; std::domain_error on an element that is not finite.
  TemperatureResult forward(Rows<S> queries, std::span<const Index> query_offsets,
                            Rows<S> documents, std::span<const Index> document_offsets,
                            CallOptions<S> call = {}) const {
    return evaluate({{queries, documents}, {}, false, call}, {query_offsets, document_offsets});
  }

  /// Value and gradients, T x D and U x D, times `call.upstream`: one number, or Q numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  TemperatureResult forward_backward(Rows<S> queries, std::span<const Index> query_offsets,
                                     Rows<S> documents, std::span<const Index> document_offsets,
                                     GradientRows<S> d_queries, GradientRows<S> d_documents,
                                     CallOptions<S> call = {}) const {
    return evaluate({{queries, documents}, {d_queries, d_documents}, true, call},
                    {query_offsets, document_offsets});
  }

 private:
  TemperatureResult evaluate(const detail::Inputs<S, 2>& inputs,
                             const detail::TokenOffsets& offsets) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, offsets);
  }

  MaxSimInfoNceOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/max_sim.hpp"
#endif
