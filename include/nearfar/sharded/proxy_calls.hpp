#pragma once

#include "nearfar/sharded/inputs.hpp"

namespace nearfar::sharded {

/// The public calls of a sharded loss of labelled rows against proxies of classes, the same for all
/// of them. Loss has `options()`. There is an overload
/// `R detail::evaluate(options, ShardedProxyInputs<S>)`, where R is the result of the loss.
template <class Loss, class S, class R>
class ProxyCalls {
 public:
  /// The loss of the rows of all processes against the proxies of classes, which are the same on
  /// all processes. Own rows x are N_r x D, N_r >= 0, with N_r labels, as for
  /// nearfar::ProxyCalls::forward. Throws the same error on all processes, like
  /// sharded::InfoNce::forward; also unless all have the same proxies, margins and numbers of
  /// classes.
  R forward(const Sharding& where, Rows<S> x, Labels labels, Proxies<S> proxies,
            CallOptions<S> call = {}) const {
    return hand_on({where, {{{x, proxies.rows()}, {}, false, call}, labels, proxies}});
  }

  /// Value, the gradient for own rows, and the gradient for the proxies, which is that of the whole
  /// batch and the same on all processes: it needs neither sum nor scale. Times `call.upstream`:
  /// one number, the same on all processes, or N_r numbers with Reduction::none. A process may pass
  /// `no_gradient` for either.
  R forward_backward(const Sharding& where, Rows<S> x, Labels labels, Proxies<S> proxies,
                     GradientRows<S> dx, GradientRows<S> d_proxies,
                     CallOptions<S> call = {}) const {
    return hand_on({where, {{{x, proxies.rows()}, {dx, d_proxies}, true, call}, labels, proxies}});
  }

 private:
  R hand_on(const detail::ShardedProxyInputs<S>& inputs) const {
    return evaluate(static_cast<const Loss&>(*this).options(), inputs);
  }
};

}  // namespace nearfar::sharded
