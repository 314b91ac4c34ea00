#pragma once

#include "nearfar/sharded/inputs.hpp"

namespace nearfar::sharded {

/// The public calls of a sharded loss of one set of rows without targets, and without a kernel of
/// the caller's. Loss has `options()`. There is an overload
/// `Result detail::evaluate(options, ShardedInputs<S, 1>)`.
template <class Loss, class S>
class RowCalls {
 public:
  /// The loss of the rows of all processes. Own rows x are N_r x D, N_r >= 0. Throws the same error
  /// on all processes, like sharded::InfoNce::forward.
  Result forward(const Sharding& where, Rows<S> x, CallOptions<S> call = {}) const {
    return hand_on({where, {Chunks<S>(x, no_gradient)}, false, call});
  }

  /// Value, and gradient for own rows, times `call.upstream`: one number, the same on all
  /// processes, or N_r numbers with Reduction::none. The gradient may be `accumulate(buffer)`.
  Result forward_backward(const Sharding& where, Rows<S> x, GradientRows<S> dx,
                          CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), call);
  }
  /// The same for rows in chunks.
  Result forward_backward(const Sharding& where, const Chunks<S>& x,
                          CallOptions<S> call = {}) const {
    return hand_on({where, {x}, true, call});
  }

 private:
  Result hand_on(const detail::ShardedInputs<S, 1>& inputs) const {
    return evaluate(static_cast<const Loss&>(*this).options(), inputs);
  }
};

}  // namespace nearfar::sharded
