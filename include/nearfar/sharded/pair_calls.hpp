#pragma once

#include "nearfar/sharded/inputs.hpp"

namespace nearfar::sharded {

/// The public calls of a sharded loss of two sets of rows that belong together, such as two views,
/// without a kernel of the caller's. Loss has `options()`. There is an overload
/// `Result detail::evaluate(options, ShardedInputs<S, 2>)`.
template <class Loss, class S>
class PairCalls {
 public:
  /// The loss of the rows of all processes. Own rows x and y are N_r x D both, N_r >= 0; row i of
  /// one belongs to row i of the other. Throws the same error on all processes, like
  /// sharded::InfoNce::forward.
  Result forward(const Sharding& where, Rows<S> x, Rows<S> y, CallOptions<S> call = {}) const {
    return hand_on({where, {Chunks<S>(x, no_gradient), Chunks<S>(y, no_gradient)}, false, call});
  }

  /// Value, and gradients for own rows, times `call.upstream`: one number, the same on all
  /// processes, or N_r numbers with Reduction::none. Each gradient may be `no_gradient` or
  /// `accumulate(buffer)`.
  Result forward_backward(const Sharding& where, Rows<S> x, Rows<S> y, GradientRows<S> dx,
                          GradientRows<S> dy, CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), Chunks<S>(y, dy), call);
  }
  /// The same for rows in chunks; the two sets may have chunks of different sizes.
  Result forward_backward(const Sharding& where, const Chunks<S>& x, const Chunks<S>& y,
                          CallOptions<S> call = {}) const {
    return hand_on({where, {x, y}, true, call});
  }

 private:
  Result hand_on(const detail::ShardedInputs<S, 2>& inputs) const {
    return evaluate(static_cast<const Loss&>(*this).options(), inputs);
  }
};

}  // namespace nearfar::sharded
