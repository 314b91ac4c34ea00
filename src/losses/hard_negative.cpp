#include "nearfar/losses/impl/hard_negative.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const HardNegativeOptions&,
                                                   const Inputs<float, 2>&, const Targets&);
template NEARFAR_EXPORT TemperatureResult evaluate(const HardNegativeOptions&,
                                                   const Inputs<double, 2>&, const Targets&);

}  // namespace nearfar::detail
