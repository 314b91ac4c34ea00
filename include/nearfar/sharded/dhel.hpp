#pragma once

#include "nearfar/losses/dhel.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Dhel.
template <class S>
TemperatureResult evaluate(const DhelOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Dhel of a batch split over processes: the loss, options and kernels of nearfar::Dhel over the
/// views of all processes. Each process passes both views of its own samples, in the same call;
/// Sharding defines value and gradients.
///
/// 3 to 4 N^2 D floating point operations in all for each view that has a sum over negatives, as in
/// one process (6 N^2 D with Schedule::all_gather).
template <class S, Kernel K = Cosine>
class Dhel : public PairCalls<Dhel<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::Dhel does.
  explicit Dhel(DhelOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const DhelOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::Dhel<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/dhel.hpp"
#endif
