#pragma once

#include "nearfar/losses/proxy_anchor.hpp"
#include "nearfar/sharded/proxy_calls.hpp"

namespace nearfar::detail {

// The part of one process in a call of the losses below.

template <class S>
Result evaluate(const ProxyAnchorOptions& options, const ShardedProxyInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// ProxyAnchor of a batch split over processes: the loss and options of nearfar::ProxyAnchor over
/// the rows of all processes. Each process passes its own rows with their labels and all proxies,
/// in the same call; Sharding defines value and gradients.
///
/// 6 N C D floating point operations in all for C proxies, as in one process. No row is sent; the
/// gradient of the proxies is summed over processes. The statistics of each proxy pass through the
/// processes, once.
template <class S>
class ProxyAnchor : public ProxyCalls<ProxyAnchor<S>, S, Result> {
 public:
  /// Throws as nearfar::ProxyAnchor does.
  explicit ProxyAnchor(ProxyAnchorOptions options = {}) : loss_(options) {}

  const ProxyAnchorOptions& options() const { return loss_.options(); }

 private:
  nearfar::ProxyAnchor<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/proxy_anchor.hpp"
#endif
