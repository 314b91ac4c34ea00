#pragma once

#include "nearfar/losses/lifted_structure.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// One process' share of a call of sharded::LiftedStructure.
template <class S>
Result evaluate(const LiftedStructureOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Lifted structured loss of a batch that is shared out to processes: the loss, the options and the
/// kernels of nearfar::LiftedStructure over the rows of all of them, where each gives its own with
/// their targets. Every process makes the same call; see Sharding for what the value and the
/// gradients are.
///
/// 10 N^2 D floating point operations in all (8 N^2 D with Schedule::all_gather), where one process
/// takes 5 N^2 D by the symmetry of scores. Rows travel three times, the first for log sums over
/// negatives, which then go with them, and their gradients once.
template <class S, Kernel K = Euclidean>
class LiftedStructure : public LabelCalls<LiftedStructure<S, K>, S, Result> {
 public:
  /// Throws as nearfar::LiftedStructure.
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
