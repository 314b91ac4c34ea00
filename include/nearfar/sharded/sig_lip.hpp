#pragma once

#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/sharded/pair_target_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::SigLip.
template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs, const Targets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// SigLIP's loss of a batch split over processes: the loss, options and kernels of nearfar::SigLip
/// over the pairs of all processes (Zhai et al., Sigmoid loss for language image pre-training,
/// 2023, section 3.3, exchange texts in the same way). Each process passes its own pairs, in the
/// same call; Sharding defines value and gradients. Labels, sets of labels and lists are targets as
/// in one process.
///
/// 6 N^2 D floating point operations in all, because no term depends on others. The ring passes
/// texts and their gradients once.
template <class S, Kernel K = Cosine>
class SigLip : public PairTargetCalls<SigLip<S, K>, S, SigLipResult> {
 public:
  /// Throws as nearfar::SigLip does.
  explicit SigLip(SigLipOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const SigLipOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::SigLip<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/sig_lip.hpp"
#endif
