#include "nearfar/sharded/impl/max_sim.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const MaxSimInfoNceOptions&,
                                                   const KernelValue<float>&,
                                                   const ShardedInputs<float, 2>&,
                                                   const TokenOffsets&);
template NEARFAR_EXPORT TemperatureResult evaluate(const MaxSimInfoNceOptions&,
                                                   const KernelValue<double>&,
                                                   const ShardedInputs<double, 2>&,
                                                   const TokenOffsets&);

}  // namespace nearfar::detail
