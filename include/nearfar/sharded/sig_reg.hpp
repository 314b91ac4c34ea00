#pragma once

#include "nearfar/losses/sig_reg.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::SigReg. The second set holds the slices.
template <class S>
Result evaluate(const SigRegOptions& options, const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// SIGReg of a batch split over processes: the loss and options of nearfar::SigReg over the rows of
/// all processes. Each process passes its own rows and the same slices, in the same call; Sharding
/// defines value and gradients.
///
/// No row is sent. The sums of M slices and K knots pass through the processes, 2 M K doubles, of
/// which a process also holds a second copy.
template <class S>
class SigReg {
 public:
  /// Throws as nearfar::SigReg does.
  explicit SigReg(SigRegOptions options = {}) : loss_(options) {}

  const SigRegOptions& options() const { return loss_.options(); }

  /// The loss of the rows of all processes. Own rows x are N_r x D, N_r >= 0; slices are M x D and
  /// the same on all processes. Throws the same error on all processes, like
  /// sharded::InfoNce::forward.
  Result forward(const Sharding& where, Rows<S> x, Rows<S> slices, CallOptions<S> call = {}) const {
    return hand_on(where, Chunks<S>(x, no_gradient), slices, false, call);
  }

  /// Value, and gradient for own rows, times `call.upstream`, one number, the same on all
  /// processes; the gradient may be `accumulate(buffer)`. Slices have none.
  Result forward_backward(const Sharding& where, Rows<S> x, Rows<S> slices, GradientRows<S> dx,
                          CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), slices, call);
  }
  /// The same for rows in chunks.
  Result forward_backward(const Sharding& where, const Chunks<S>& x, Rows<S> slices,
                          CallOptions<S> call = {}) const {
    return hand_on(where, x, slices, true, call);
  }

 private:
  Result hand_on(const Sharding& where, const Chunks<S>& x, const Rows<S>& slices, bool gradients,
                 const CallOptions<S>& call) const {
    return detail::evaluate(
        options(),
        detail::ShardedInputs<S, 2>{where, {x, Chunks<S>(slices, no_gradient)}, gradients, call});
  }

  nearfar::SigReg<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/sig_reg.hpp"
#endif
