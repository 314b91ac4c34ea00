#include "nearfar/sharded/impl/dhel.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const DhelOptions&, const KernelValue<float>&,
                                                   const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const DhelOptions&, const KernelValue<double>&,
                                                   const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
