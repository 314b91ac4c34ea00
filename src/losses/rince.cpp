#include "nearfar/losses/impl/rince.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const RinceOptions&, const KernelValue<float>&,
                                                   const Inputs<float, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const RinceOptions&, const KernelValue<double>&,
                                                   const Inputs<double, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const RinceViewsOptions&,
                                                   const KernelValue<float>&,
                                                   const Inputs<float, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const RinceViewsOptions&,
                                                   const KernelValue<double>&,
                                                   const Inputs<double, 2>&);

}  // namespace nearfar::detail
