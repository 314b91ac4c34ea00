#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// The public calls of a loss of two sets of rows that belong together, such as two views or
/// queries and keys, the same for all of them. Loss has `options()`, and `kernel()` if its kernel
/// is the caller's. There is an overload
/// `R detail::evaluate(options, KernelValue<S>, Inputs<S, 2>)`, or one without a kernel.
template <class Loss, class S, class R = Result>
class PairCalls {
 public:
  /// The loss of the pairs of a batch. x and y are N x D both (a kernel with a matrix may map x to
  /// the D of y); row i of one belongs to row i of the other. An empty batch has value 0. Throws
  /// std::invalid_argument on shapes that do not fit, std::domain_error on an element that is not
  /// finite. Errors name x and y as the loss's page does: view1 and view2, queries and keys.
  R forward(Rows<S> x, Rows<S> y, CallOptions<S> call = {}) const {
    return hand_on({{x, y}, {}, false, call});
  }

  /// Value and gradients, in the shapes of x and y, times `call.upstream`: one number, or one a
  /// term with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  R forward_backward(Rows<S> x, Rows<S> y, GradientRows<S> dx, GradientRows<S> dy,
                     CallOptions<S> call = {}) const {
    return hand_on({{x, y}, {dx, dy}, true, call});
  }

 private:
  R hand_on(const detail::Inputs<S, 2>& inputs) const {
    const Loss& self = static_cast<const Loss&>(*this);
    if constexpr (requires { self.kernel(); }) {
      return evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs);
    } else {
      return evaluate(self.options(), inputs);
    }
  }
};

}  // namespace nearfar
