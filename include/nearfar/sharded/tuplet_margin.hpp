#pragma once

#include "nearfar/losses/tuplet_margin.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::TupletMargin.
template <class S>
TemperatureResult evaluate(const TupletMarginOptions& options, const KernelValue<S>& kernel,
                           const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// TupletMargin of a batch split over processes: the loss, options and kernels of
/// nearfar::TupletMargin over the rows of all processes. Each process passes its own rows with
/// their labels, in the same call; Sharding defines value and gradients.
///
/// 4 to 5 N^2 D floating point operations in all, as sharded::Sincere (8 N^2 D with
/// Schedule::all_gather).
template <class S, Kernel K = Cosine>
class TupletMargin : public LabelCalls<TupletMargin<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::TupletMargin does.
  explicit TupletMargin(TupletMarginOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const TupletMarginOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::TupletMargin<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/tuplet_margin.hpp"
#endif
