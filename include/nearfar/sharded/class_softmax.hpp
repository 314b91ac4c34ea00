#pragma once

#include "nearfar/losses/class_softmax.hpp"
#include "nearfar/sharded/proxy_calls.hpp"

namespace nearfar::detail {

// The part of one process in a call of the losses below.

template <class S>
TemperatureResult evaluate(const NormalizedSoftmaxOptions& options,
                           const ShardedProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const ArcFaceOptions& options, const ShardedProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const CosFaceOptions& options, const ShardedProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const SphereFaceOptions& options, const ShardedProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const LargeMarginSoftmaxOptions& options, const ShardedProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const ProxyNcaOptions& options, const ShardedProxyInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// NormalizedSoftmax of a batch split over processes: the loss and options of
/// nearfar::NormalizedSoftmax over the rows of all processes. Each process passes its own rows with
/// their labels and all proxies, in the same call; Sharding defines value and gradients.
///
/// 6 N C D floating point operations in all for C proxies, as in one process. No row is sent; the
/// gradient of the proxies is summed over processes.
template <class S>
class NormalizedSoftmax : public ProxyCalls<NormalizedSoftmax<S>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::NormalizedSoftmax does.
  explicit NormalizedSoftmax(NormalizedSoftmaxOptions options = {}) : loss_(options) {}

  const NormalizedSoftmaxOptions& options() const { return loss_.options(); }

 private:
  nearfar::NormalizedSoftmax<S> loss_;
};

/// ArcFace of a batch split over processes: the loss and options of nearfar::ArcFace over the rows
/// of all processes. Each process passes its own rows with their labels and all proxies, in the
/// same call; Sharding defines value and gradients.
///
/// 6 N C D floating point operations in all for C proxies, as in one process. No row is sent; the
/// gradient of the proxies is summed over processes.
template <class S>
class ArcFace : public ProxyCalls<ArcFace<S>, S, ScaleResult> {
 public:
  /// Throws as nearfar::ArcFace does.
  explicit ArcFace(ArcFaceOptions options = {}) : loss_(options) {}

  const ArcFaceOptions& options() const { return loss_.options(); }

 private:
  nearfar::ArcFace<S> loss_;
};

/// CosFace of a batch split over processes: the loss and options of nearfar::CosFace over the rows
/// of all processes. Each process passes its own rows with their labels and all proxies, in the
/// same call; Sharding defines value and gradients.
///
/// 6 N C D floating point operations in all for C proxies, as in one process. No row is sent; the
/// gradient of the proxies is summed over processes.
template <class S>
class CosFace : public ProxyCalls<CosFace<S>, S, ScaleResult> {
 public:
  /// Throws as nearfar::CosFace does.
  explicit CosFace(CosFaceOptions options = {}) : loss_(options) {}

  const CosFaceOptions& options() const { return loss_.options(); }

 private:
  nearfar::CosFace<S> loss_;
};

/// SphereFace of a batch split over processes: the loss and options of nearfar::SphereFace over the
/// rows of all processes. Each process passes its own rows with their labels and all proxies, in
/// the same call; Sharding defines value and gradients.
///
/// 6 N C D floating point operations in all for C proxies, as in one process. No row is sent; the
/// gradient of the proxies is summed over processes.
template <class S>
class SphereFace : public ProxyCalls<SphereFace<S>, S, ScaleResult> {
 public:
  /// Throws as nearfar::SphereFace does.
  explicit SphereFace(SphereFaceOptions options = {}) : loss_(options) {}

  const SphereFaceOptions& options() const { return loss_.options(); }

 private:
  nearfar::SphereFace<S> loss_;
};

/// LargeMarginSoftmax of a batch split over processes: the loss and options of
/// nearfar::LargeMarginSoftmax over the rows of all processes. Each process passes its own rows
/// with their labels and all proxies, in the same call; Sharding defines value and gradients.
///
/// 6 N C D floating point operations in all for C proxies, as in one process. No row is sent; the
/// gradient of the proxies is summed over processes.
template <class S>
class LargeMarginSoftmax : public ProxyCalls<LargeMarginSoftmax<S>, S, ScaleResult> {
 public:
  /// Throws as nearfar::LargeMarginSoftmax does.
  explicit LargeMarginSoftmax(LargeMarginSoftmaxOptions options = {}) : loss_(options) {}

  const LargeMarginSoftmaxOptions& options() const { return loss_.options(); }

 private:
  nearfar::LargeMarginSoftmax<S> loss_;
};

/// ProxyNca of a batch split over processes: the loss and options of nearfar::ProxyNca over the
/// rows of all processes. Each process passes its own rows with their labels and all proxies, in
/// the same call; Sharding defines value and gradients.
///
/// 6 N C D floating point operations in all for C proxies, as in one process. No row is sent; the
/// gradient of the proxies is summed over processes.
template <class S>
class ProxyNca : public ProxyCalls<ProxyNca<S>, S, ScaleResult> {
 public:
  /// Throws as nearfar::ProxyNca does.
  explicit ProxyNca(ProxyNcaOptions options = {}) : loss_(options) {}

  const ProxyNcaOptions& options() const { return loss_.options(); }

 private:
  nearfar::ProxyNca<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/class_softmax.hpp"
#endif
