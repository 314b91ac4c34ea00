#pragma once

#include "nearfar/kernels/kernel.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::sharded {

/// The public calls of a sharded loss over labels, the same for all of them. Loss has `options()`
/// and `kernel()`. There is an overload
/// `R detail::evaluate(options, KernelValue<S>, ShardedLabelledInputs<S>)`, where R is the result
/// of the loss.
template <class Loss, class S, class R>
class LabelCalls {
 public:
  /// The loss of the rows of all processes, each compared with all others. Own rows x are N_r x D,
  /// N_r >= 0, with their targets: labels or sets of labels, one a row, or PositiveLists, whose
  /// columns number the rows of all processes in order of ranks. Rows of one id (Targets::ids), on
  /// any processes, are not compared. Throws the same error on all processes, like
  /// sharded::InfoNce::forward.
  R forward(const Sharding& where, Rows<S> x, const Targets& labels,
            CallOptions<S> call = {}) const {
    return hand_on({{where, {Chunks<S>(x, no_gradient)}, false, call}, labels});
  }

  /// Value, and gradient for own rows, times `call.upstream`: one number, the same on all
  /// processes, or one an own row with Reduction::none. Counts and derivatives in the result are
  /// those of the whole batch.
  R forward_backward(const Sharding& where, Rows<S> x, const Targets& labels, GradientRows<S> dx,
                     CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), labels, call);
  }
  /// The same for rows in chunks; labels are one a row of all chunks.
  R forward_backward(const Sharding& where, const Chunks<S>& x, const Targets& labels,
                     CallOptions<S> call = {}) const {
    return hand_on({{where, {x}, true, call}, labels});
  }

 private:
  R hand_on(const detail::ShardedLabelledInputs<S>& inputs) const {
    const Loss& self = static_cast<const Loss&>(*this);
    return evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs);
  }
};

}  // namespace nearfar::sharded
