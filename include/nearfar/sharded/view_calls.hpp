#pragma once

#include "nearfar/sharded/inputs.hpp"

namespace nearfar::sharded {

/// The public calls of a sharded loss of two views, the same for all of them. Loss has
/// `evaluate(ShardedInputs<S, 2>, Targets)`.
template <class Loss, class S>
class ViewCalls {
 public:
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
    return static_cast<const Loss&>(*this).evaluate(inputs, targets);
  }
};

}  // namespace nearfar::sharded
