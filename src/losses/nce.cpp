#include "nearfar/losses/impl/nce.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT NceResult evaluate(const NceOptions&, const KernelValue<float>&,
                                           const Inputs<float, 3>&, const Negatives<float>&,
                                           const Numbers<float>&, const Numbers<float>&);
template NEARFAR_EXPORT NceResult evaluate(const NceOptions&, const KernelValue<double>&,
                                           const Inputs<double, 3>&, const Negatives<double>&,
                                           const Numbers<double>&, const Numbers<double>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NegativeSamplingOptions&,
                                                   const KernelValue<float>&,
                                                   const Inputs<float, 3>&,
                                                   const Negatives<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NegativeSamplingOptions&,
                                                   const KernelValue<double>&,
                                                   const Inputs<double, 3>&,
                                                   const Negatives<double>&);

}  // namespace nearfar::detail
