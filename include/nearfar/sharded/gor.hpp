#pragma once

#include "nearfar/losses/gor.hpp"
#include "nearfar/sharded/row_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Gor.
template <class S>
Result evaluate(const GorOptions& options, const ShardedInputs<S, 1>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Global orthogonal regularisation of a batch split over processes: the loss and options of
/// nearfar::Gor over the rows of all processes. Each process passes its own rows, in the same call;
/// Sharding defines value and gradients.
///
/// No row is sent. The sums of directions u and of u u^T pass through the processes, 2 D and D^2
/// doubles, of which a process also holds a second copy; 4 N D^2 floating point operations in all.
template <class S>
class Gor : public RowCalls<Gor<S>, S> {
 public:
  /// Throws as nearfar::Gor does.
  explicit Gor(GorOptions options = {}) : loss_(options) {}

  const GorOptions& options() const { return loss_.options(); }

 private:
  nearfar::Gor<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/gor.hpp"
#endif
