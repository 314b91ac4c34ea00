#include "nearfar/losses/impl/max_sim.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const MaxSimInfoNceOptions&,
                                                   const KernelValue<float>&,
                                                   const Inputs<float, 2>&, const TokenOffsets&);
template NEARFAR_EXPORT TemperatureResult evaluate(const MaxSimInfoNceOptions&,
                                                   const KernelValue<double>&,
                                                   const Inputs<double, 2>&, const TokenOffsets&);

}  // namespace nearfar::detail
