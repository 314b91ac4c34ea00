#pragma once

#include "nearfar/metrics/knn_accuracy.hpp"
#include "nearfar/sharded/ranked_inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::KnnAccuracy.
template <class S>
KnnResult evaluate(const KnnOptions& options, const KernelValue<S>& kernel,
                   const ShardedRankedInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Accuracy of nearest neighbours of a set split over processes: that of nearfar::KnnAccuracy over
/// the rows of all processes, in order of ranks, to the last bit. Each process passes its own rows
/// with their labels, in the same call, and gets the same accuracy and counts; with
/// KnnOptions::per_query it gets the predictions of its own queries.
///
/// References go round once. Besides the shards' rows a process keeps up to 2 k references of each
/// own query.
template <class S, Kernel K = Cosine>
class KnnAccuracy {
 public:
  /// Throws as nearfar::KnnAccuracy does.
  explicit KnnAccuracy(KnnOptions options = {}, K kernel = K()) : metric_(options, kernel) {}

  const KnnOptions& options() const { return metric_.options(); }
  const K& kernel() const { return metric_.kernel(); }

  /// The accuracy of the rows of all processes: each is predicted from the nearest others. Own rows
  /// x are N_r x D, N_r >= 0, with one label a row. Throws the same error on all processes, like
  /// sharded::InfoNce::forward.
  KnnResult evaluate(const Sharding& where, Rows<S> x, Labels labels,
                     CallOptions<S> call = {}) const {
    const Targets targets(labels);
    return hand_on({{where, {Chunks<S>(x, no_gradient), {}}, false, call}, targets, targets, true});
  }

  /// The accuracy of all processes' queries, predicted from all their references.
  KnnResult evaluate(const Sharding& where, Rows<S> queries, Labels query_labels,
                     Rows<S> references, Labels reference_labels, CallOptions<S> call = {}) const {
    const Targets of_queries(query_labels);
    const Targets of_references(reference_labels);
    return hand_on({{where,
                     {Chunks<S>(queries, no_gradient), Chunks<S>(references, no_gradient)},
                     false,
                     call},
                    of_queries,
                    of_references,
                    false});
  }

 private:
  KnnResult hand_on(const detail::ShardedRankedInputs<S>& inputs) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs);
  }

  nearfar::KnnAccuracy<S, K> metric_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/knn_accuracy.hpp"
#endif
