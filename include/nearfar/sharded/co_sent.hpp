#pragma once

#include "nearfar/losses/co_sent.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::CoSent.
template <class S>
CoSentResult evaluate(const CoSentOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs, const Numbers<S>& scores);

/// The part of one process in a call of sharded::Angle.
template <class S>
CoSentResult evaluate(const AngleOptions& options, const ShardedInputs<S, 2>& inputs,
                      const Numbers<S>& scores);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// The public calls of CoSent and Angle. Loss has `options()`, and `kernel()` if its kernel is the
/// caller's. There is an overload
/// `CoSentResult detail::evaluate(options, KernelValue<S>, ShardedInputs<S, 2>, Numbers<S>)`, or
/// one without a kernel.
template <class Loss, class S>
class ScoredPairCalls {
 public:
  /// The loss of the pairs of all processes. Own rows a and b are N_r x D both, N_r >= 0, with N_r
  /// target scores. Throws the same error on all processes, like sharded::InfoNce::forward.
  CoSentResult forward(const Sharding& where, Rows<S> a, Rows<S> b, Numbers<S> scores,
                       CallOptions<S> call = {}) const {
    return hand_on({where, {Chunks<S>(a, no_gradient), Chunks<S>(b, no_gradient)}, false, call},
                   scores);
  }

  /// Value, and gradients for own rows, times `call.upstream`, one number, the same on all
  /// processes; each gradient may be `no_gradient` or `accumulate(buffer)`. d_scale is that of the
  /// whole batch.
  CoSentResult forward_backward(const Sharding& where, Rows<S> a, Rows<S> b, Numbers<S> scores,
                                GradientRows<S> da, GradientRows<S> db,
                                CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(a, da), Chunks<S>(b, db), scores, call);
  }
  /// The same for rows in chunks; a and b may have chunks of different sizes.
  CoSentResult forward_backward(const Sharding& where, const Chunks<S>& a, const Chunks<S>& b,
                                Numbers<S> scores, CallOptions<S> call = {}) const {
    return hand_on({where, {a, b}, true, call}, scores);
  }

 private:
  CoSentResult hand_on(const detail::ShardedInputs<S, 2>& inputs, const Numbers<S>& scores) const {
    const Loss& self = static_cast<const Loss&>(*this);
    if constexpr (requires { self.kernel(); }) {
      return detail::evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs,
                              scores);
    } else {
      return detail::evaluate(self.options(), inputs, scores);
    }
  }
};

/// CoSent of a batch split over processes: the loss, options and kernels of nearfar::CoSent over
/// the pairs of all processes. Each process passes its own pairs with their target scores, in the
/// same call; Sharding defines value and gradients.
///
/// No row is sent. The score and the target of each pair go round, 16 bytes. Time of a process with
/// n of N pairs O(n D + N log N), with Schedule::ordered O(n D + n N / 384).
template <class S, Kernel K = Cosine>
class CoSent : public ScoredPairCalls<CoSent<S, K>, S> {
 public:
  /// Throws as nearfar::CoSent does.
  explicit CoSent(CoSentOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const CoSentOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::CoSent<S, K> loss_;
};

/// Angle of a batch split over processes: the loss and options of nearfar::Angle over the pairs of
/// all processes. All else is as for CoSent.
template <class S>
class Angle : public ScoredPairCalls<Angle<S>, S> {
 public:
  /// Throws as nearfar::Angle does.
  explicit Angle(AngleOptions options = {}) : loss_(options) {}

  const AngleOptions& options() const { return loss_.options(); }

 private:
  nearfar::Angle<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/co_sent.hpp"
#endif
