#pragma once

#include "nearfar/losses/sincere.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Sincere.
template <class S>
TemperatureResult evaluate(const SincereOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Sincere of a batch split over processes: the loss, options and kernels of nearfar::Sincere over
/// the rows of all processes. Each process passes its own rows with their labels, in the same call;
/// Sharding defines value and gradients.
///
/// 4 to 5 N^2 D floating point operations in all (8 N^2 D with Schedule::all_gather): rows travel
/// once more than those of SupCon, as the sums over negatives are complete before positives are
/// compared with them.
template <class S, Kernel K = Cosine>
class Sincere : public LabelCalls<Sincere<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::Sincere does.
  explicit Sincere(SincereOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const SincereOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::Sincere<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/sincere.hpp"
#endif
