#include "nearfar/sharded/impl/nca.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const NcaOptions&, const KernelValue<float>&,
                                                   const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NcaOptions&, const KernelValue<double>&,
                                                   const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
