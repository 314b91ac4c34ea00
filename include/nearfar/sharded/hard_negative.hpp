#pragma once

#include "nearfar/losses/hard_negative.hpp"
#include "nearfar/sharded/pair_target_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::HardNegative.
template <class S>
TemperatureResult evaluate(const HardNegativeOptions& options, const ShardedInputs<S, 2>& inputs,
                           const Targets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// HardNegative of a batch split over processes: the loss and options of nearfar::HardNegative over
/// the views of all processes. Each process passes both views of its own samples, in the same call;
/// Sharding defines value and gradients.
///
/// 3 to 4 (2N)^2 D floating point operations in all for N samples, as in one process (6 (2N)^2 D
/// with Schedule::all_gather).
template <class S>
class HardNegative : public PairTargetCalls<HardNegative<S>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::HardNegative does.
  explicit HardNegative(HardNegativeOptions options = {}) : loss_(options) {}

  const HardNegativeOptions& options() const { return loss_.options(); }

 private:
  nearfar::HardNegative<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/hard_negative.hpp"
#endif
