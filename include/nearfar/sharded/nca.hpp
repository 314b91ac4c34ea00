#pragma once

#include "nearfar/losses/nca.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Nca.
template <class S>
TemperatureResult evaluate(const NcaOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Nca of a batch split over processes: the loss, options and kernels of nearfar::Nca over the rows
/// of all processes. Each process passes its own rows with their labels, in the same call; Sharding
/// defines value and gradients.
///
/// 3 to 4 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather).
template <class S, Kernel K = SquaredEuclidean>
class Nca : public LabelCalls<Nca<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::Nca does.
  explicit Nca(NcaOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const NcaOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::Nca<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/nca.hpp"
#endif
