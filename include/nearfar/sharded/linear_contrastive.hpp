#pragma once

#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// One process' share of a call of sharded::LinearContrastive.
template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel,
                                 const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// LinearContrastive of a batch that is shared out to processes: the loss, the options and the
/// kernels of nearfar::LinearContrastive over the rows of all of them, where each gives its own
/// with their labels. Every process makes the same call; see Sharding for what the value and the
/// gradients are.
///
/// 8 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather); with mean_nonzero
/// 10 N^2 D, as the divisors must be known first.
template <class S, Kernel K = Euclidean>
class LinearContrastive : public LabelCalls<LinearContrastive<S, K>, S, LinearContrastiveResult> {
 public:
  /// Throws as nearfar::LinearContrastive.
  explicit LinearContrastive(LinearContrastiveOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const LinearContrastiveOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::LinearContrastive<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/linear_contrastive.hpp"
#endif
