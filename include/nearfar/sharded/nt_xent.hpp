#pragma once

#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/sharded/pair_target_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::NtXent.
template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs, const Targets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// NT-Xent of a batch split over processes: the loss, options and kernels of nearfar::NtXent over
/// the views of all processes. Each process passes both views of its own samples, in the same call;
/// Sharding defines value and gradients.
///
/// 4 (2N)^2 D floating point operations in all for N samples, as in one process (6 (2N)^2 D with
/// Schedule::all_gather).
template <class S, Kernel K = Cosine>
class NtXent : public PairTargetCalls<NtXent<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::NtXent does.
  explicit NtXent(NtXentOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const NtXentOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::NtXent<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/nt_xent.hpp"
#endif
