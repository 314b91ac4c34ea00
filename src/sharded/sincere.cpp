#include "nearfar/sharded/impl/sincere.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const SincereOptions&, const KernelValue<float>&,
                                                   const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const SincereOptions&,
                                                   const KernelValue<double>&,
                                                   const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
