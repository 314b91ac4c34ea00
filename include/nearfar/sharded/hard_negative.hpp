#pragma once

#include "nearfar/losses/hard_negative.hpp"
#include "nearfar/sharded/view_calls.hpp"

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
class HardNegative : public ViewCalls<HardNegative<S>, S> {
 public:
  /// Throws as nearfar::HardNegative does.
  explicit HardNegative(HardNegativeOptions options = {}) : loss_(options) {}

  const HardNegativeOptions& options() const { return loss_.options(); }

 private:
  friend ViewCalls<HardNegative, S>;

  TemperatureResult evaluate(const detail::ShardedInputs<S, 2>& inputs,
                             const Targets& targets) const {
    return detail::evaluate(options(), inputs, targets);
  }

  nearfar::HardNegative<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/hard_negative.hpp"
#endif
