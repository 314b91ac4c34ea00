#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/numbers.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// The public calls of a loss of pairs of rows with target scores, the same for all of them. Loss
/// has `options()`, and `kernel()` if its kernel is the caller's. There is an overload
/// `R detail::evaluate(options, KernelValue<S>, Inputs<S, 2>, Numbers<S>)`, or one without a
/// kernel.
template <class Loss, class S, class R>
class ScoredPairCalls {
 public:
  /// The loss of rows of a and b (both N x D) with N target scores. Throws std::invalid_argument on
  /// shapes that do not fit, std::domain_error on an element or a target that is not finite.
  R forward(Rows<S> a, Rows<S> b, Numbers<S> scores, CallOptions<S> call = {}) const {
    return hand_on({{a, b}, {}, false, call}, scores);
  }

  /// Value and gradients, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  R forward_backward(Rows<S> a, Rows<S> b, Numbers<S> scores, GradientRows<S> da,
                     GradientRows<S> db, CallOptions<S> call = {}) const {
    return hand_on({{a, b}, {da, db}, true, call}, scores);
  }

 private:
  R hand_on(const detail::Inputs<S, 2>& inputs, const Numbers<S>& scores) const {
    const Loss& self = static_cast<const Loss&>(*this);
    if constexpr (requires { self.kernel(); }) {
      return evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs, scores);
    } else {
      return evaluate(self.options(), inputs, scores);
    }
  }
};

}  // namespace nearfar
