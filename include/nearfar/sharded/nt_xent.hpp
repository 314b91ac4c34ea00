#pragma once

#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::NtXent.
template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs, const Targets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// NT-Xent of a batch split over processes: the loss, options and kernels of nearfar::NtXent over
/// the views of all processes. Each process passes both views of its own samples, in the same call;
/// Sharding defines value and gradients.
///
/// 4 (2N)^2 D floating point operations in all for N samples, as in one process (6 (2N)^2 D with
/// Schedule::all_gather).
template <class S, Kernel K = Cosine>
class NtXent {
 public:
  /// Throws as nearfar::NtXent does.
  explicit NtXent(NtXentOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const NtXentOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' views. Own views are N_r x D both, N_r >= 0; row i of one is the
  /// partner of row i of the other. Throws the same error on all processes, like
  /// sharded::InfoNce::forward.
  TemperatureResult forward(const Sharding& where, Rows<S> view1, Rows<S> view2,
                            CallOptions<S> call = {}) const {
    return forward(where, view1, view2, Targets(), call);
  }
  /// The same with ids of the N_r own samples, `Targets().ids(ids)`: samples of one id, on any
  /// processes, are no negatives of each other. All processes have ids, or none.
  TemperatureResult forward(const Sharding& where, Rows<S> view1, Rows<S> view2,
                            const Targets& targets, CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(view1, no_gradient), Chunks<S>(view2, no_gradient)}, false, call},
        targets);
  }

  /// Value, and gradients for own rows, times `call.upstream`: one number, the same on all
  /// processes, or 2 N_r numbers with Reduction::none. d_temperature is that of the whole batch.
  TemperatureResult forward_backward(const Sharding& where, Rows<S> view1, Rows<S> view2,
                                     GradientRows<S> d_view1, GradientRows<S> d_view2,
                                     CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(view1, d_view1), Chunks<S>(view2, d_view2), Targets(),
                            call);
  }
  TemperatureResult forward_backward(const Sharding& where, Rows<S> view1, Rows<S> view2,
                                     const Targets& targets, GradientRows<S> d_view1,
                                     GradientRows<S> d_view2, CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(view1, d_view1), Chunks<S>(view2, d_view2), targets,
                            call);
  }
  /// The same for rows in chunks; the two views may have chunks of different sizes.
  TemperatureResult forward_backward(const Sharding& where, const Chunks<S>& view1,
                                     const Chunks<S>& view2, CallOptions<S> call = {}) const {
    return forward_backward(where, view1, view2, Targets(), call);
  }
  TemperatureResult forward_backward(const Sharding& where, const Chunks<S>& view1,
                                     const Chunks<S>& view2, const Targets& targets,
                                     CallOptions<S> call = {}) const {
    return hand_on({where, {view1, view2}, true, call}, targets);
  }

 private:
  TemperatureResult hand_on(const detail::ShardedInputs<S, 2>& inputs,
                            const Targets& targets) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs, targets);
  }

  nearfar::NtXent<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/nt_xent.hpp"
#endif
