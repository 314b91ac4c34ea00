#pragma once

#include "nearfar/losses/dclw.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Dclw.
template <class S>
TemperatureResult evaluate(const DclwOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Dclw of a batch split over processes: the loss, options and kernels of nearfar::Dclw over the
/// views of all processes. Each process passes both views of its own samples, in the same call;
/// Sharding defines value and gradients. The weights of pairs have the mean 1 over the samples of
/// all processes.
///
/// 3 to 4 (2N)^2 D floating point operations in all for N samples, as in one process (6 (2N)^2 D
/// with Schedule::all_gather).
template <class S, Kernel K = Cosine>
class Dclw : public PairCalls<Dclw<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::Dclw does.
  explicit Dclw(DclwOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const DclwOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::Dclw<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/dclw.hpp"
#endif
