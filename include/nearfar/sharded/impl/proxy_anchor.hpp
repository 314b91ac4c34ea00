#pragma once

#include "nearfar/losses/impl/proxy_anchor.hpp"
#include "nearfar/sharded/impl/sharded_class_call.hpp"
#include "nearfar/sharded/proxy_anchor.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const ProxyAnchorOptions& options, const ShardedProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  // Upstream is one number, like the loss.
  ShardedClassCall<S> call(
      kernel, Reduction::sum,
      class_introduction("ProxyAnchor", kernel, inputs, options,
                         {{"margin", options.margin}, {"alpha", options.alpha}}),
      inputs);
  return proxy_anchor<S>(options, call);
}

}  // namespace nearfar::detail
