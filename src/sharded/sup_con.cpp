#include "nearfar/sharded/impl/sup_con.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const SupConOptions&, const KernelValue<float>&,
                                                   const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const SupConOptions&, const KernelValue<double>&,
                                                   const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
