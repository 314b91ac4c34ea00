#pragma once

#include "nearfar/losses/rince.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Rince.
template <class S>
TemperatureResult evaluate(const RinceOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs);

/// The part of one process in a call of sharded::RinceViews.
template <class S>
TemperatureResult evaluate(const RinceViewsOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Rince of a batch split over processes: the loss, options and kernels of nearfar::Rince over the
/// pairs of all processes. Each process passes its own pairs of a query and a key, in the same
/// call; Sharding defines value and gradients.
///
/// 6 to 8 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather).
template <class S, Kernel K = Cosine>
class Rince : public PairCalls<Rince<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::Rince does.
  explicit Rince(RinceOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const RinceOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::Rince<S, K> loss_;
};

/// RinceViews of a batch split over processes: the loss, options and kernels of nearfar::RinceViews
/// over the views of all processes. Each process passes both views of its own samples, in the same
/// call; Sharding defines value and gradients.
///
/// 3 to 4 (2N)^2 D floating point operations in all for N samples, as in one process (6 (2N)^2 D
/// with Schedule::all_gather).
template <class S, Kernel K = Cosine>
class RinceViews : public PairCalls<RinceViews<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::RinceViews does.
  explicit RinceViews(RinceViewsOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const RinceViewsOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::RinceViews<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/rince.hpp"
#endif
