#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// The public calls of a loss of two sets of rows that belong together, such as two views or images
/// and texts, with targets of the pairs, the same for all of them. Loss has `options()`, and
/// `kernel()` if its kernel is the caller's. There is an overload
/// `R detail::evaluate(options, KernelValue<S>, Inputs<S, 2>, Targets)`, or one without a kernel.
template <class Loss, class S, class R>
class PairTargetCalls {
 public:
  /// The loss of the pairs of a batch. x and y are N x D both (a kernel with a matrix may map x to
  /// the D of y); row i of one belongs to row i of the other. An empty batch has value 0. Throws
  /// std::invalid_argument on shapes that do not fit, std::domain_error on an element that is not
  /// finite. Errors name x and y as the loss's page does: view1 and view2, images and texts.
  R forward(Rows<S> x, Rows<S> y, CallOptions<S> call = {}) const {
    return forward(x, y, Targets(), call);
  }
  /// The same with targets of the N pairs: ids, `Targets().ids(ids)`; where the loss takes them
  /// also labels, sets of labels or lists, `Targets(labels)`, or both. Throws also if their number
  /// is not N, on weights, and on targets that the loss does not take.
  R forward(Rows<S> x, Rows<S> y, const Targets& targets, CallOptions<S> call = {}) const {
    return hand_on({{x, y}, {}, false, call}, targets);
  }

  /// Value and gradients, in the shapes of x and y, times `call.upstream`: one number, or one a
  /// term with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  R forward_backward(Rows<S> x, Rows<S> y, GradientRows<S> dx, GradientRows<S> dy,
                     CallOptions<S> call = {}) const {
    return forward_backward(x, y, Targets(), dx, dy, call);
  }
  R forward_backward(Rows<S> x, Rows<S> y, const Targets& targets, GradientRows<S> dx,
                     GradientRows<S> dy, CallOptions<S> call = {}) const {
    return hand_on({{x, y}, {dx, dy}, true, call}, targets);
  }

 private:
  R hand_on(const detail::Inputs<S, 2>& inputs, const Targets& targets) const {
    const Loss& self = static_cast<const Loss&>(*this);
    if constexpr (requires { self.kernel(); }) {
      return evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs, targets);
    } else {
      return evaluate(self.options(), inputs, targets);
    }
  }
};

}  // namespace nearfar
