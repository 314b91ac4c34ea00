#include "nearfar/losses/impl/class_centers.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT ScaleResult evaluate(const SubCenterArcFaceOptions&,
                                             const ProxyInputs<float>&);
template NEARFAR_EXPORT ScaleResult evaluate(const SubCenterArcFaceOptions&,
                                             const ProxyInputs<double>&);
template NEARFAR_EXPORT SoftTripleResult evaluate(const SoftTripleOptions&,
                                                  const ProxyInputs<float>&);
template NEARFAR_EXPORT SoftTripleResult evaluate(const SoftTripleOptions&,
                                                  const ProxyInputs<double>&);

}  // namespace nearfar::detail
