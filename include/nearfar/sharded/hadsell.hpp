#pragma once

#include "nearfar/losses/hadsell.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// One process' share of a call of sharded::HadsellContrastive.
template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Contrastive loss of all pairs of a labelled batch that is shared out to processes: the loss, the
/// options and the kernels of nearfar::HadsellContrastive over labels, where each process gives its
/// own rows with their labels. Every process makes the same call; see Sharding for what the value
/// and the gradients are.
///
/// 6 N^2 D floating point operations in all, where one process takes 3 N^2 D by the symmetry of
/// distances. Rows and their gradients travel once, labels before them.
template <class S, Kernel K = Euclidean>
class HadsellContrastive : public LabelCalls<HadsellContrastive<S, K>, S, Result> {
 public:
  /// Throws as nearfar::HadsellContrastive.
  explicit HadsellContrastive(HadsellOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const HadsellOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::HadsellContrastive<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/hadsell.hpp"
#endif
