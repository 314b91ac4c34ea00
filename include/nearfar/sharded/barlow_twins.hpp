#pragma once

#include "nearfar/losses/barlow_twins.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::BarlowTwins.
template <class S>
Result evaluate(const BarlowTwinsOptions& options, const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Barlow Twins of a batch split over processes: the loss and options of nearfar::BarlowTwins over
/// the views of all processes. Each process passes both views of its own samples, in the same call;
/// Sharding defines value and gradients.
///
/// No row is sent. Means, variances and correlations of columns are summed over processes, D^2
/// scalars, of which a process also holds a second copy.
template <class S>
class BarlowTwins : public PairCalls<BarlowTwins<S>, S> {
 public:
  /// Throws as nearfar::BarlowTwins does.
  explicit BarlowTwins(BarlowTwinsOptions options = {}) : loss_(options) {}

  const BarlowTwinsOptions& options() const { return loss_.options(); }

 private:
  nearfar::BarlowTwins<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/barlow_twins.hpp"
#endif
