#pragma once

#include "nearfar/losses/lifted_structure.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::LiftedStructure.
template <class S>
Result evaluate(const LiftedStructureOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Lifted structured loss of a batch split over processes: the loss, options and kernels of
/// nearfar::LiftedStructure over the rows of all processes. Each process passes its own rows with
/// their targets, in the same call; Sharding defines value and gradients.
///
/// 4 to 5 N^2 D floating point operations in all, as in one process (8 N^2 D with
/// Schedule::all_gather). Rows travel three times, the first for log sums over
/// negatives, which then go with them, and their gradients once.
template <class S, Kernel K = Euclidean>
class LiftedStructure : public LabelCalls<LiftedStructure<S, K>, S, Result> {
 public:
  /// Throws as nearfar::LiftedStructure does.
  explicit LiftedStructure(LiftedStructureOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const LiftedStructureOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::LiftedStructure<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/lifted_structure.hpp"
#endif
