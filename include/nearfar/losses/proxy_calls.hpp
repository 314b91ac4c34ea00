#pragma once

#include "nearfar/core/proxies.hpp"

namespace nearfar {

/// The public calls of a loss of labelled rows against proxies of classes, the same for all of
/// them. Loss has `options()`. There is an overload `R detail::evaluate(options, ProxyInputs<S>)`,
/// where R is the result of the loss.
template <class Loss, class S, class R>
class ProxyCalls {
 public:
  /// The loss of rows x (N x D) of classes `labels` (N integers from 0 to C - 1, or numbers of
  /// Proxies::classes) against proxies (C x D, or (C K) x D if the loss has K centres a class). An
  /// empty batch has value 0. Throws std::invalid_argument on shapes that do not fit, a label
  /// without a class and classes or margins that do not fit the proxies, std::domain_error on an
  /// element that is not finite and on rows whose inner products overflow S.
  R forward(Rows<S> x, Labels labels, Proxies<S> proxies, CallOptions<S> call = {}) const {
    return hand_on({{{x, proxies.rows()}, {}, false, call}, labels, proxies});
  }

  /// Value and gradients, N x D and in the shape of the proxies, times `call.upstream`: one number,
  /// or N numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  R forward_backward(Rows<S> x, Labels labels, Proxies<S> proxies, GradientRows<S> dx,
                     GradientRows<S> d_proxies, CallOptions<S> call = {}) const {
    return hand_on({{{x, proxies.rows()}, {dx, d_proxies}, true, call}, labels, proxies});
  }

 private:
  R hand_on(const detail::ProxyInputs<S>& inputs) const {
    return evaluate(static_cast<const Loss&>(*this).options(), inputs);
  }
};

}  // namespace nearfar
