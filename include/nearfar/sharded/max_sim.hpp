#pragma once

#include <span>

#include "nearfar/losses/max_sim.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::MaxSimInfoNce.
template <class S>
TemperatureResult evaluate(const MaxSimInfoNceOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs, const TokenOffsets& offsets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// InfoNCE of late interaction over a batch split over processes: the loss, options and kernels of
/// nearfar::MaxSimInfoNce over the queries and documents of all processes. Each process passes its
/// own, whole, in the same call; Sharding defines value and gradients. Shards may have any numbers
/// of queries, documents and tokens.
///
/// Tokens of documents go round, each with the number of its document, 8 bytes. A process finds the
/// softmax of its queries in a first round, and the gradients in a second one, which computes the
/// token scores again: for T and U tokens in all and M documents, 4 T U D + 4 T M D floating point
/// operations (2 T U D + 4 T M D with Schedule::all_gather). Extra memory a process is that of its
/// own tokens and of a shard of the documents' (of all with all_gather), and, for each thread, a
/// number and a position for each document there, for each token of 48 rows of queries, or of one
/// query that has more. With Schedule::ordered the bits are the same for any split of the batch.
template <class S, Kernel K = Cosine>
class MaxSimInfoNce {
 public:
  /// Throws as nearfar::MaxSimInfoNce does.
  explicit MaxSimInfoNce(MaxSimInfoNceOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const MaxSimInfoNceOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' queries against all their documents. Own queries (tokens T_r x D,
  /// Q_r + 1 offsets) and documents (tokens U_r x D, M_r + 1 offsets, M_r >= Q_r): own document i
  /// is the positive of own query i. Offsets count own tokens, from 0. Throws the same error on all
  /// processes: std::invalid_argument on shapes and offsets that do not fit and on calls that
  /// differ (D, options, scalar type), std::domain_error on an element that is not finite, and
  /// std::runtime_error if one has no memory; the text names the first rank with an error.
  TemperatureResult forward(const Sharding& where, Rows<S> queries,
                            std::span<const Index> query_offsets, Rows<S> documents,
                            std::span<const Index> document_offsets,
                            CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(queries, no_gradient), Chunks<S>(documents, no_gradient)}, false, call},
        {query_offsets, document_offsets});
  }

  /// Value, and gradients for own tokens, times `call.upstream`: one number, the same on all
  /// processes, or Q_r numbers with Reduction::none. d_temperature is that of the whole batch.
  TemperatureResult forward_backward(const Sharding& where, Rows<S> queries,
                                     std::span<const Index> query_offsets, Rows<S> documents,
                                     std::span<const Index> document_offsets,
                                     GradientRows<S> d_queries, GradientRows<S> d_documents,
                                     CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(queries, d_queries), query_offsets,
                            Chunks<S>(documents, d_documents), document_offsets, call);
  }
  /// The same for tokens in chunks, which may end within a query or a document; offsets count the
  /// tokens of all chunks.
  TemperatureResult forward_backward(const Sharding& where, const Chunks<S>& queries,
                                     std::span<const Index> query_offsets,
                                     const Chunks<S>& documents,
                                     std::span<const Index> document_offsets,
                                     CallOptions<S> call = {}) const {
    return hand_on({where, {queries, documents}, true, call}, {query_offsets, document_offsets});
  }

 private:
  TemperatureResult hand_on(const detail::ShardedInputs<S, 2>& inputs,
                            const detail::TokenOffsets& offsets) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs, offsets);
  }

  nearfar::MaxSimInfoNce<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/max_sim.hpp"
#endif
