#pragma once

#include "nearfar/losses/info_nce.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::InfoNce.
template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const ShardedInputs<S, 2>& inputs, const InfoNceTargets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// InfoNCE of a batch split over processes: the loss, options and kernels of nearfar::InfoNce over
/// the rows of all processes. Each process passes its own rows, in the same call; Sharding defines
/// value and gradients.
///
/// Scores that do not fit Sharding::most_bytes_kept are computed twice, for the statistics of
/// queries over all keys and then for gradients: 6 to 8 N M D floating point operations in all
/// (6 N M D with Schedule::all_gather). The ring passes keys twice and their gradients once.
template <class S, Kernel K = Cosine>
class InfoNce {
 public:
  /// Throws as nearfar::InfoNce does.
  explicit InfoNce(InfoNceOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const InfoNceOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' queries against all their keys. Own queries (N_r x D, N_r >= 0) and
  /// keys (M_r x D, M_r >= N_r): own key i is the positive of own query i. Throws the same error on
  /// all processes: std::invalid_argument on shapes that do not fit and on calls that differ (D,
  /// options, scalar type), std::domain_error on an element that is not finite, and
  /// std::runtime_error if one has no memory; the text names the first rank with an error.
  InfoNceResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                        CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(queries, no_gradient), Chunks<S>(keys, no_gradient)}, false, call},
        {nullptr, {}, {}});
  }

  /// The same with any key as the positive of a query: `positives` are N_r numbers of keys, counted
  /// over all processes in order of ranks. Throws also on an index out of range.
  InfoNceResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys, Labels positives,
                        CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(queries, no_gradient), Chunks<S>(keys, no_gradient)}, false, call},
        {&positives, {}, {}});
  }

  /// The same with ids of the N_r own queries and M_r own keys, `Targets().ids(ids)`: a query's sum
  /// leaves out other keys of its id, on any process. All processes have ids, or none.
  template <std::same_as<Targets> T>
  InfoNceResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                        const T& query_targets, const T& key_targets,
                        CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(queries, no_gradient), Chunks<S>(keys, no_gradient)}, false, call},
        {nullptr, query_targets, key_targets});
  }
  template <std::same_as<Targets> T>
  InfoNceResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys, Labels positives,
                        const T& query_targets, const T& key_targets,
                        CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(queries, no_gradient), Chunks<S>(keys, no_gradient)}, false, call},
        {&positives, query_targets, key_targets});
  }

  /// Value, and gradients for own rows, times `call.upstream`: one number, the same on all
  /// processes, or one an own query with Reduction::none. d_temperature is that of the whole batch.
  InfoNceResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(queries, d_queries), Chunks<S>(keys, d_keys), call);
  }
  InfoNceResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                 Labels positives, GradientRows<S> d_queries,
                                 GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    return hand_on({where, {Chunks<S>(queries, d_queries), Chunks<S>(keys, d_keys)}, true, call},
                   {&positives, {}, {}});
  }
  template <std::same_as<Targets> T>
  InfoNceResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                 const T& query_targets, const T& key_targets,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(queries, d_queries), Chunks<S>(keys, d_keys),
                            query_targets, key_targets, call);
  }
  template <std::same_as<Targets> T>
  InfoNceResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                 Labels positives, const T& query_targets, const T& key_targets,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    return hand_on({where, {Chunks<S>(queries, d_queries), Chunks<S>(keys, d_keys)}, true, call},
                   {&positives, query_targets, key_targets});
  }
  /// The same for rows in chunks; queries and keys may have chunks of different sizes.
  InfoNceResult forward_backward(const Sharding& where, const Chunks<S>& queries,
                                 const Chunks<S>& keys, CallOptions<S> call = {}) const {
    return hand_on({where, {queries, keys}, true, call}, {nullptr, {}, {}});
  }
  template <std::same_as<Targets> T>
  InfoNceResult forward_backward(const Sharding& where, const Chunks<S>& queries,
                                 const Chunks<S>& keys, const T& query_targets,
                                 const T& key_targets, CallOptions<S> call = {}) const {
    return hand_on({where, {queries, keys}, true, call}, {nullptr, query_targets, key_targets});
  }

 private:
  InfoNceResult hand_on(const detail::ShardedInputs<S, 2>& inputs,
                        const detail::InfoNceTargets& targets) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs, targets);
  }

  nearfar::InfoNce<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/info_nce.hpp"
#endif
