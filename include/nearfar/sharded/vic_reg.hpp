#pragma once

#include "nearfar/losses/vic_reg.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::VicReg.
template <class S>
Result evaluate(const VicRegOptions& options, const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// VICReg of a batch split over processes: the loss and options of nearfar::VicReg over the views
/// of all processes. Each process passes both views of its own samples, in the same call; Sharding
/// defines value and gradients. All processes together need two rows, or none.
///
/// No row is sent. Means, variances and covariances of columns are summed over processes, D^2
/// scalars a view, of which a process also holds a second copy.
template <class S>
class VicReg : public PairCalls<VicReg<S>, S> {
 public:
  /// Throws as nearfar::VicReg does.
  explicit VicReg(VicRegOptions options = {}) : loss_(options) {}

  const VicRegOptions& options() const { return loss_.options(); }

 private:
  nearfar::VicReg<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/vic_reg.hpp"
#endif
