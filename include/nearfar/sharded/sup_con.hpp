#pragma once

#include "nearfar/losses/sup_con.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::SupCon.
template <class S>
TemperatureResult evaluate(const SupConOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Supervised contrastive loss of a batch split over processes: the loss, options and kernels of
/// nearfar::SupCon over the rows of all processes. Each process passes its own rows with their
/// labels, in the same call; Sharding defines value and gradients.
///
/// 3 to 4 N^2 D floating point operations in all, as in one process (6 N^2 D with
/// Schedule::all_gather; 6 to 8 N^2 D with lists).
template <class S, Kernel K = Cosine>
class SupCon : public LabelCalls<SupCon<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::SupCon does.
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
