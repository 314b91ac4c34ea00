#pragma once

#include "nearfar/kernels/kernel.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::sharded {

/// The public calls of a sharded loss of two sets of rows that belong together, such as two views
/// or images and texts, with targets of the pairs, the same for all of them. Loss has `options()`,
/// and `kernel()` if its kernel is the caller's. There is an overload
/// `R detail::evaluate(options, KernelValue<S>, ShardedInputs<S, 2>, Targets)`, or one without a
/// kernel.
template <class Loss, class S, class R>
class PairTargetCalls {
 public:
  /// The loss of the pairs of all processes. Own rows x and y are N_r x D both, N_r >= 0; row i of
  /// one belongs to row i of the other. Throws the same error on all processes, like
  /// sharded::InfoNce::forward.
  R forward(const Sharding& where, Rows<S> x, Rows<S> y, CallOptions<S> call = {}) const {
    return forward(where, x, y, Targets(), call);
  }
  /// The same with targets of the N_r own pairs: ids, `Targets().ids(ids)`; where the loss takes
  /// them also labels, `Targets(labels)`. Pairs of one id, on any processes, are no negatives of
  /// each other. All processes have ids, or none.
  R forward(const Sharding& where, Rows<S> x, Rows<S> y, const Targets& targets,
            CallOptions<S> call = {}) const {
    return hand_on({where, {Chunks<S>(x, no_gradient), Chunks<S>(y, no_gradient)}, false, call},
                   targets);
  }

  /// Value, and gradients for own rows, times `call.upstream`: one number, the same on all
  /// processes, or one for each own term with Reduction::none. Each gradient may be `no_gradient`
  /// or `accumulate(buffer)`. Derivatives in the result are those of the whole batch.
  R forward_backward(const Sharding& where, Rows<S> x, Rows<S> y, GradientRows<S> dx,
                     GradientRows<S> dy, CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), Chunks<S>(y, dy), Targets(), call);
  }
  R forward_backward(const Sharding& where, Rows<S> x, Rows<S> y, const Targets& targets,
                     GradientRows<S> dx, GradientRows<S> dy, CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), Chunks<S>(y, dy), targets, call);
  }
  /// The same for rows in chunks; x and y may have chunks of different sizes.
  R forward_backward(const Sharding& where, const Chunks<S>& x, const Chunks<S>& y,
                     CallOptions<S> call = {}) const {
    return forward_backward(where, x, y, Targets(), call);
  }
  R forward_backward(const Sharding& where, const Chunks<S>& x, const Chunks<S>& y,
                     const Targets& targets, CallOptions<S> call = {}) const {
    return hand_on({where, {x, y}, true, call}, targets);
  }

 private:
  R hand_on(const detail::ShardedInputs<S, 2>& inputs, const Targets& targets) const {
    const Loss& self = static_cast<const Loss&>(*this);
    if constexpr (requires { self.kernel(); }) {
      return evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs, targets);
    } else {
      return evaluate(self.options(), inputs, targets);
    }
  }
};

}  // namespace nearfar::sharded
