#include "nearfar/sharded/impl/rince.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const RinceOptions&, const KernelValue<float>&,
                                                   const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const RinceOptions&, const KernelValue<double>&,
                                                   const ShardedInputs<double, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const RinceViewsOptions&,
                                                   const KernelValue<float>&,
                                                   const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const RinceViewsOptions&,
                                                   const KernelValue<double>&,
                                                   const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
