#pragma once

#include "nearfar/losses/uniformity.hpp"
#include "nearfar/sharded/row_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Uniformity.
template <class S>
Result evaluate(const UniformityOptions& options, const ShardedInputs<S, 1>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Uniformity of a batch split over processes: the loss and options of nearfar::Uniformity over the
/// rows of all processes. Each process passes its own rows, in the same call; Sharding defines
/// value and gradients.
///
/// 3 N^2 D floating point operations in all, as in one process (6 N^2 D with Schedule::ordered and
/// Schedule::all_gather): each pair of shards meets once.
template <class S>
class Uniformity : public RowCalls<Uniformity<S>, S> {
 public:
  /// Throws as nearfar::Uniformity does.
  explicit Uniformity(UniformityOptions options = {}) : loss_(options) {}

  const UniformityOptions& options() const { return loss_.options(); }

 private:
  nearfar::Uniformity<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/uniformity.hpp"
#endif
