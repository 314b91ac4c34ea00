#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/targets.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// The public calls of a loss over labels, the same for all of them. Loss has `options()` and
/// `kernel()`. There is an overload
/// `R detail::evaluate(options, KernelValue<S>, LabelledInputs<S>)`, where R is the result of the
/// loss.
template <class Loss, class S, class R>
class LabelCalls {
 public:
  /// The loss of a batch x (N x D), in which each row is compared with all other rows. `labels` has
  /// one label a row, or other targets: see Targets. Throws std::invalid_argument on shapes or
  /// targets that do not fit, std::domain_error on an element that is not finite.
  R forward(Rows<S> x, const Targets& labels, CallOptions<S> call = {}) const {
    return hand_on({{{x}, {}, false, call}, labels, labels, false});
  }

  /// The loss of queries (N x D) compared with references (M x D), each with their labels.
  /// References are for example the rows of a cross-batch memory, or a gallery. Anchors are the
  /// queries.
  R forward(Rows<S> queries, const Targets& query_labels, Rows<S> references,
            const Targets& reference_labels, CallOptions<S> call = {}) const {
    return hand_on(
        {{{queries, references}, {}, false, call}, query_labels, reference_labels, true});
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or one
  /// an anchor with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  R forward_backward(Rows<S> x, const Targets& labels, GradientRows<S> dx,
                     CallOptions<S> call = {}) const {
    return hand_on({{{x}, {dx}, true, call}, labels, labels, false});
  }
  R forward_backward(Rows<S> queries, const Targets& query_labels, Rows<S> references,
                     const Targets& reference_labels, GradientRows<S> d_queries,
                     GradientRows<S> d_references, CallOptions<S> call = {}) const {
    return hand_on({{{queries, references}, {d_queries, d_references}, true, call},
                    query_labels,
                    reference_labels,
                    true});
  }

 private:
  R hand_on(const detail::LabelledInputs<S>& inputs) const {
    const Loss& self = static_cast<const Loss&>(*this);
    return evaluate(self.options(), detail::kernel_value<S>(self.kernel()), inputs);
  }
};

}  // namespace nearfar
