#pragma once

#include "nearfar/losses/margin_loss.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::MarginLoss.
template <class S>
MarginLossResult evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                          const ShardedLabelledInputs<S>& inputs);

/// With one boundary for each class.
template <class S>
Result evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs, const Rows<S>& betas,
                const GradientRows<S>& d_betas);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// MarginLoss of a batch split over processes: the loss, options and kernels of nearfar::MarginLoss
/// over the rows of all processes. Each process passes its own rows with their labels, in the same
/// call; Sharding defines value and gradients.
///
/// 3 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather).
template <class S, Kernel K = Euclidean>
class MarginLoss : public LabelCalls<MarginLoss<S, K>, S, MarginLossResult> {
  using Calls = LabelCalls<MarginLoss<S, K>, S, MarginLossResult>;

 public:
  using Calls::forward;
  using Calls::forward_backward;

  /// Throws as nearfar::MarginLoss does.
  explicit MarginLoss(MarginLossOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const MarginLossOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The same with one boundary for each class, `betas` (C x 1), the same on all processes, as
  /// nearfar::MarginLoss has it. Labels are from 0 to C - 1.
  Result forward(const Sharding& where, Rows<S> x, const Targets& labels, Rows<S> betas,
                 CallOptions<S> call = {}) const {
    return per_class({{where, {Chunks<S>(x, no_gradient)}, false, call}, labels}, betas,
                     no_gradient);
  }

  /// Value and gradients. That of `betas` (C x 1) is of the whole batch, and the same on all
  /// processes.
  Result forward_backward(const Sharding& where, Rows<S> x, const Targets& labels, Rows<S> betas,
                          GradientRows<S> dx, GradientRows<S> d_betas,
                          CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), labels, betas, d_betas, call);
  }
  /// The same for rows in chunks; labels are one a row of all chunks.
  Result forward_backward(const Sharding& where, const Chunks<S>& x, const Targets& labels,
                          Rows<S> betas, GradientRows<S> d_betas, CallOptions<S> call = {}) const {
    return per_class({{where, {x}, true, call}, labels}, betas, d_betas);
  }

 private:
  Result per_class(const detail::ShardedLabelledInputs<S>& inputs, const Rows<S>& betas,
                   const GradientRows<S>& d_betas) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs, betas, d_betas);
  }

  nearfar::MarginLoss<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/margin_loss.hpp"
#endif
