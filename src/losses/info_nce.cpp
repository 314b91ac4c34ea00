#include "nearfar/losses/impl/info_nce.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<float>&,
                                               const Inputs<float, 2>&, const InfoNceTargets&);
template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<double>&,
                                               const Inputs<double, 2>&, const InfoNceTargets&);
template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<float>&,
                                               const Inputs<float, 3>&, const Negatives<float>&);
template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<double>&,
                                               const Inputs<double, 3>&, const Negatives<double>&);
template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<float>&,
                                               const Inputs<float, 4>&, const Negatives<float>&,
                                               const Negatives<float>&);
template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<double>&,
                                               const Inputs<double, 4>&, const Negatives<double>&,
                                               const Negatives<double>&);

}  // namespace nearfar::detail
