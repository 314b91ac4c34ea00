#include "nearfar/losses/impl/dhel.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const DhelOptions&, const KernelValue<float>&,
                                                   const Inputs<float, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const DhelOptions&, const KernelValue<double>&,
                                                   const Inputs<double, 2>&);

}  // namespace nearfar::detail
