#pragma once

#include "nearfar/losses/multi_similarity.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::MultiSimilarity.
template <class S>
Result evaluate(const MultiSimilarityOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// MultiSimilarity of a batch split over processes: the loss, options and kernels of
/// nearfar::MultiSimilarity over the rows of all processes. Each process passes its own rows with
/// their labels, in the same call; Sharding defines value and gradients.
///
/// 3 to 4 N^2 D floating point operations in all, as in one process (6 N^2 D with
/// Schedule::all_gather); with mining N^2 D more (2 N^2 D).
template <class S, Kernel K = Cosine>
class MultiSimilarity : public LabelCalls<MultiSimilarity<S, K>, S, Result> {
 public:
  /// Throws as nearfar::MultiSimilarity does.
  explicit MultiSimilarity(MultiSimilarityOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const MultiSimilarityOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::MultiSimilarity<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/multi_similarity.hpp"
#endif
