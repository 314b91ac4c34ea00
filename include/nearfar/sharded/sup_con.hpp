#pragma once

#include "nearfar/losses/sup_con.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// One process' share of a call of sharded::SupCon.
template <class S>
TemperatureResult evaluate(const SupConOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Supervised contrastive loss of a batch that is shared out to processes: the loss, the options
/// and the kernels of nearfar::SupCon over the rows of all of them, where each gives its own with
/// their labels. Every process makes the same call; see Sharding for what the value and the
/// gradients are.
///
/// 8 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather), where one process
/// takes 4 N^2 D by the symmetry of scores.
template <class S, Kernel K = Cosine>
class SupCon : public LabelCalls<SupCon<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::SupCon.
  explicit SupCon(SupConOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const SupConOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::SupCon<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/sup_con.hpp"
#endif
