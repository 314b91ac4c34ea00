#pragma once

#include <utility>

#include "nearfar/metrics/retrieval.hpp"
#include "nearfar/sharded/ranked_inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Retrieval.
template <class S>
RetrievalResult evaluate(const RetrievalOptions& options, const KernelValue<S>& kernel,
                         const ShardedRankedInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Retrieval metrics of a set split over processes: those of nearfar::Retrieval over the rows of
/// all processes. Each process passes its own rows with their labels, in the same call, and gets
/// the same means; with RetrievalOptions::per_query it gets the numbers of its own queries. The
/// columns of lists number the references of all processes. Full average precision, unlabelled
/// references and weights are refused.
///
/// The ring passes keys once, or twice if a query's first positive is beyond all of ks. In addition
/// to the shards' rows a process keeps the nearest keys of each own query: as many as it has
/// positives, or the largest k.
template <class S, Kernel K = Cosine>
class Retrieval {
 public:
  /// Throws as nearfar::Retrieval does.
  explicit Retrieval(RetrievalOptions options = {}, K kernel = K())
      : metric_(std::move(options), kernel) {}

  const RetrievalOptions& options() const { return metric_.options(); }
  const K& kernel() const { return metric_.kernel(); }

  /// The metrics of the rows of all processes: each is a query, all others are its candidates. Own
  /// rows x are N_r x D, N_r >= 0, with the targets of each row. Throws the same error on all
  /// processes, like sharded::InfoNce::forward.
  RetrievalResult evaluate(const Sharding& where, Rows<S> x, const Targets& labels,
                           CallOptions<S> call = {}) const {
    return hand_on({{where, {Chunks<S>(x, no_gradient), {}}, false, call}, labels, labels, true});
  }

  /// The metrics of all processes' queries among all their references, each with targets.
  RetrievalResult evaluate(const Sharding& where, Rows<S> queries, const Targets& query_labels,
                           Rows<S> references, const Targets& reference_labels,
                           CallOptions<S> call = {}) const {
    return hand_on({{where,
                     {Chunks<S>(queries, no_gradient), Chunks<S>(references, no_gradient)},
                     false,
                     call},
                    query_labels,
                    reference_labels,
                    false});
  }

 private:
  RetrievalResult hand_on(const detail::ShardedRankedInputs<S>& inputs) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs);
  }

  nearfar::Retrieval<S, K> metric_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/retrieval.hpp"
#endif
