#pragma once

#include "nearfar/losses/in_batch_info_nce.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::InBatchInfoNce. The third set holds the rows of
/// the negatives.
template <class S>
TemperatureResult evaluate(const InBatchInfoNceOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 3>& inputs, const InBatchExtras<S>& extras);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// InfoNCE with in-batch refinements of a batch split over processes: the loss, options and kernels
/// of nearfar::InBatchInfoNce over the pairs and negatives of all processes. Each process passes
/// its own rows, in the same call; Sharding defines value and gradients.
///
/// Keys go round the processes once for statistics and once for gradients. Queries do the same if a
/// sum over queries is wanted, and so do negatives. Each block of scores takes 6 to 8 N M D
/// floating point operations in all, with every schedule. A guide is refused: its rows do not go
/// round.
template <class S, Kernel K = Cosine>
class InBatchInfoNce {
 public:
  /// Throws as nearfar::InBatchInfoNce does.
  explicit InBatchInfoNce(InBatchInfoNceOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const InBatchInfoNceOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' queries and keys. Own ones are N_r x D both, N_r >= 0, pair i in
  /// row i of both. Throws the same error on all processes, like sharded::InfoNce::forward.
  TemperatureResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                            CallOptions<S> call = {}) const {
    return forward(where, queries, keys, InBatchExtras<S>(), call);
  }
  /// The same with ids and sampling probabilities of own pairs, and with own negatives, which are
  /// negatives of all processes' queries; each of per_query(rows) belongs to an own query. All
  /// processes have negatives of one form, and have ids and probabilities, or none.
  TemperatureResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                            const InBatchExtras<S>& extras, CallOptions<S> call = {}) const {
    return hand_on({where,
                    {Chunks<S>(queries, no_gradient), Chunks<S>(keys, no_gradient),
                     Chunks<S>(extras.negatives.rows(), no_gradient)},
                    false,
                    call},
                   extras);
  }

  /// Value, and gradients for own rows, times `call.upstream`: one number, the same on all
  /// processes, or N_r numbers with Reduction::none. d_temperature is that of the whole batch.
  TemperatureResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                     GradientRows<S> d_queries, GradientRows<S> d_keys,
                                     CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(queries, d_queries), Chunks<S>(keys, d_keys), call);
  }
  TemperatureResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                     const InBatchExtras<S>& extras, GradientRows<S> d_queries,
                                     GradientRows<S> d_keys, GradientRows<S> d_negatives,
                                     CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(queries, d_queries), Chunks<S>(keys, d_keys), extras,
                            d_negatives, call);
  }
  /// The same for pairs in chunks; queries and keys may have chunks of different sizes.
  TemperatureResult forward_backward(const Sharding& where, const Chunks<S>& queries,
                                     const Chunks<S>& keys, CallOptions<S> call = {}) const {
    return forward_backward(where, queries, keys, InBatchExtras<S>(), no_gradient, call);
  }
  TemperatureResult forward_backward(const Sharding& where, const Chunks<S>& queries,
                                     const Chunks<S>& keys, const InBatchExtras<S>& extras,
                                     GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return hand_on(
        {where, {queries, keys, Chunks<S>(extras.negatives.rows(), d_negatives)}, true, call},
        extras);
  }

 private:
  TemperatureResult hand_on(const detail::ShardedInputs<S, 3>& inputs,
                            const InBatchExtras<S>& extras) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs, extras);
  }

  nearfar::InBatchInfoNce<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/in_batch_info_nce.hpp"
#endif
