#include "nearfar/losses/impl/class_softmax.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const NormalizedSoftmaxOptions&,
                                                   const ProxyInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NormalizedSoftmaxOptions&,
                                                   const ProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ArcFaceOptions&, const ProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ArcFaceOptions&, const ProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const CosFaceOptions&, const ProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const CosFaceOptions&, const ProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const SphereFaceOptions&, const ProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const SphereFaceOptions&, const ProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const LargeMarginSoftmaxOptions&,
                                             const ProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const LargeMarginSoftmaxOptions&,
                                             const ProxyInputs<double>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ProxyNcaOptions&, const ProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const ProxyNcaOptions&, const ProxyInputs<double>&);

}  // namespace nearfar::detail
