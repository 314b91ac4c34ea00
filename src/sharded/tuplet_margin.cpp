#include "nearfar/sharded/impl/tuplet_margin.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const TupletMarginOptions&,
                                                   const KernelValue<float>&,
                                                   const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const TupletMarginOptions&,
                                                   const KernelValue<double>&,
                                                   const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
