#pragma once

#include "nearfar/core/row_lists.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// The public calls of a loss of listed pairs, the same for all of them. Loss has `options()` and
/// `kernel()`. There is an overload
/// `R detail::evaluate(options, KernelValue<S>, PairListInputs<S>)`, where R is the result of the
/// loss.
template <class Loss, class S, class R>
class PairListCalls {
 public:
  /// The loss of pairs of rows of x (N x D), listed by the numbers of their rows. Terms are the
  /// pairs, each as often as it is listed. With Reduction::none there is a value a pair, those of
  /// positive pairs first. Without pairs the value is 0. Throws std::invalid_argument on shapes
  /// that do not fit, on a row number out of range and on lists whose two sides differ in length,
  /// std::domain_error on an element that is not finite. O(N D) memory and O(1) a pair; O(D)
  /// operations a pair.
  R forward(Rows<S> x, const PairList& positive_pairs, const PairList& negative_pairs,
            CallOptions<S> call = {}) const {
    return hand_on({{{x}, {}, false, call}, positive_pairs, negative_pairs, false});
  }

  /// The same of pairs of a row of x (N x D) and a row of references (M x D).
  R forward(Rows<S> x, Rows<S> references, const PairList& positive_pairs,
            const PairList& negative_pairs, CallOptions<S> call = {}) const {
    return hand_on({{{x, references}, {}, false, call}, positive_pairs, negative_pairs, true});
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or one
  /// a pair with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  R forward_backward(Rows<S> x, const PairList& positive_pairs, const PairList& negative_pairs,
                     GradientRows<S> dx, CallOptions<S> call = {}) const {
    return hand_on({{{x}, {dx}, true, call}, positive_pairs, negative_pairs, false});
  }
  R forward_backward(Rows<S> x, Rows<S> references, const PairList& positive_pairs,
                     const PairList& negative_pairs, GradientRows<S> dx,
                     GradientRows<S> d_references, CallOptions<S> call = {}) const {
    return hand_on(
        {{{x, references}, {dx, d_references}, true, call}, positive_pairs, negative_pairs, true});
  }

 private:
  R hand_on(const detail::PairListInputs<S>& inputs) const {
    const Loss& self = static_cast<const Loss&>(*this);
    return evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs);
  }
};

}  // namespace nearfar
