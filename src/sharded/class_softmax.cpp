#include "nearfar/sharded/impl/class_softmax.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const NormalizedSoftmaxOptions&,
                                                   const ShardedProxyInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NormalizedSoftmaxOptions&,
                                                   const ShardedProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ArcFaceOptions&,
                                             const ShardedProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ArcFaceOptions&,
                                             const ShardedProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const CosFaceOptions&,
                                             const ShardedProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const CosFaceOptions&,
                                             const ShardedProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const SphereFaceOptions&,
                                             const ShardedProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const SphereFaceOptions&,
                                             const ShardedProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const LargeMarginSoftmaxOptions&,
                                             const ShardedProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const LargeMarginSoftmaxOptions&,
                                             const ShardedProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ProxyNcaOptions&,
                                             const ShardedProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ProxyNcaOptions&,
                                             const ShardedProxyInputs<double>&);

}  // namespace nearfar::detail
