#pragma once

#include "nearfar/losses/clip.hpp"
#include "nearfar/sharded/pair_target_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Clip.
template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const ShardedInputs<S, 2>& inputs, const Targets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// CLIP's loss of a batch split over processes: the loss, options and kernels of nearfar::Clip over
/// the pairs of all processes. Each process passes its own pairs, in the same call; Sharding
/// defines value and gradients. Labels and sets of labels are targets as in one process; lists are
/// refused.
///
/// Texts visit all processes, where their scores serve both halves of the loss: 6 to 8 N^2 D
/// floating point operations in all, as in one process (12 N^2 D with Schedule::all_gather).
template <class S, Kernel K = Cosine>
class Clip : public PairTargetCalls<Clip<S, K>, S, ClipResult> {
 public:
  /// Throws as nearfar::Clip does.
  explicit Clip(ClipOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const ClipOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::Clip<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/clip.hpp"
#endif
