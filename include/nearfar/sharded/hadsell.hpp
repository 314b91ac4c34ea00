#pragma once

#include "nearfar/losses/hadsell.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::HadsellContrastive.
template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Contrastive loss of all pairs of a labelled batch split over processes: the loss, options and
/// kernels of nearfar::HadsellContrastive over labels, for the rows of all processes. Each process
/// passes its own rows with their labels, in the same call; Sharding defines value and gradients.
///
/// 3 N^2 D floating point operations in all, as in one process (6 N^2 D with other schedules and
/// with lists). Rows and their gradients travel once, labels before them.
template <class S, Kernel K = Euclidean>
class HadsellContrastive : public LabelCalls<HadsellContrastive<S, K>, S, Result> {
 public:
  /// Throws as nearfar::HadsellContrastive does.
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
