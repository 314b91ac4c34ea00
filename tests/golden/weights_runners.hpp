#pragma once

#include <map>
#include <string>

#include "golden/runner.hpp"

/// \file
/// Runners of losses against proxies of classes.

namespace golden {

template <class S, class Line>
Computed<S> over_proxies(Case& c) {
  const typename Line::template Loss<S> loss(options_of<typename Line::Options>(c));
  Computed<S> out;
  out.loss = loss.forward_backward(c.matrix<S>("x"), c.labels("labels"), c.matrix<S>("proxies"),
                                   out.gradients["x"], out.gradients["proxies"])
                 .value;
  return out;
}

template <class S>
std::map<std::string, Runner<S>> weights_runners() {
  namespace registered = nearfar::registered;
  return {
#define NEARFAR_OVER_PROXIES(name, ...) {#name, over_proxies<S, registered::name>},
      NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_OVER_PROXIES)
#undef NEARFAR_OVER_PROXIES
  };
}

}  // namespace golden
