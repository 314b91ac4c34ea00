#include "nearfar/sharded/impl/dclw.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const DclwOptions&, const KernelValue<float>&,
                                                   const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const DclwOptions&, const KernelValue<double>&,
                                                   const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
