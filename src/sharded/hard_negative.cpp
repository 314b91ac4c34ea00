#include "nearfar/sharded/impl/hard_negative.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const HardNegativeOptions&,
                                                   const ShardedInputs<float, 2>&, const Targets&);
template NEARFAR_EXPORT TemperatureResult evaluate(const HardNegativeOptions&,
                                                   const ShardedInputs<double, 2>&, const Targets&);

}  // namespace nearfar::detail
