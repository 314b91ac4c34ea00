#pragma once

#include "nearfar/losses/generalized_lifted_structure.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::GeneralizedLiftedStructure.
template <class S>
Result evaluate(const GeneralizedLiftedStructureOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// GeneralizedLiftedStructure of a batch split over processes: the loss, options and kernels of
/// nearfar::GeneralizedLiftedStructure over the rows of all processes. Each process passes its own
/// rows with their labels, in the same call; Sharding defines value and gradients.
///
/// 3 to 4 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather).
template <class S, Kernel K = Euclidean>
class GeneralizedLiftedStructure : public LabelCalls<GeneralizedLiftedStructure<S, K>, S, Result> {
 public:
  /// Throws as nearfar::GeneralizedLiftedStructure does.
  explicit GeneralizedLiftedStructure(GeneralizedLiftedStructureOptions options = {},
                                      K kernel = K())
      : loss_(options, kernel) {}

  const GeneralizedLiftedStructureOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::GeneralizedLiftedStructure<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/generalized_lifted_structure.hpp"
#endif
