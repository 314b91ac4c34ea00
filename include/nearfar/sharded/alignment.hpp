#pragma once

#include "nearfar/losses/alignment.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Alignment.
template <class S>
Result evaluate(const AlignmentOptions& options, const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Alignment of a batch split over processes: the loss and options of nearfar::Alignment over the
/// pairs of all processes. Each process passes its own pairs, in the same call; Sharding defines
/// value and gradients. No row is sent: only counts and the value are those of all processes.
template <class S>
class Alignment : public PairCalls<Alignment<S>, S> {
 public:
  /// Throws as nearfar::Alignment does.
  explicit Alignment(AlignmentOptions options = {}) : loss_(options) {}

  const AlignmentOptions& options() const { return loss_.options(); }

 private:
  nearfar::Alignment<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/alignment.hpp"
#endif
