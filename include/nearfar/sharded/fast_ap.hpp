#pragma once

#include "nearfar/losses/fast_ap.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::FastAp.
template <class S>
Result evaluate(const FastApOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// FastAp of a batch split over processes: the loss, options and kernels of nearfar::FastAp over
/// the rows of all processes. Each process passes its own rows with their labels, in the same call;
/// Sharding defines value and gradients.
///
/// 6 to 8 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather): histograms
/// stay with their anchors, so each process compares its own rows with all others.
template <class S, Kernel K = Cosine>
class FastAp : public LabelCalls<FastAp<S, K>, S, Result> {
 public:
  /// Throws as nearfar::FastAp does.
  explicit FastAp(FastApOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const FastApOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::FastAp<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/fast_ap.hpp"
#endif
