#pragma once

#include "nearfar/losses/intra_pair_variance.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::IntraPairVariance.
template <class S>
IntraPairVarianceResult evaluate(const IntraPairVarianceOptions& options,
                                 const KernelValue<S>& kernel,
                                 const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// IntraPairVariance of a batch split over processes: the loss, options and kernels of
/// nearfar::IntraPairVariance over the rows of all processes. Each process passes its own rows with
/// their labels, in the same call; Sharding defines value and gradients.
///
/// 5 N^2 D floating point operations in all (10 N^2 D with Schedule::ordered and
/// Schedule::all_gather). Rows travel three times: the mean scores are those of the pairs of all
/// processes, and so are the sums of hinges that the gradient needs.
template <class S, Kernel K = Cosine>
class IntraPairVariance : public LabelCalls<IntraPairVariance<S, K>, S, IntraPairVarianceResult> {
 public:
  /// Throws as nearfar::IntraPairVariance does.
  explicit IntraPairVariance(IntraPairVarianceOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const IntraPairVarianceOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::IntraPairVariance<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/intra_pair_variance.hpp"
#endif
