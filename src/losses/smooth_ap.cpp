#include "nearfar/losses/impl/smooth_ap.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const SmoothApOptions&,
                                                   const KernelValue<float>&,
                                                   const LabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const SmoothApOptions&,
                                                   const KernelValue<double>&,
                                                   const LabelledInputs<double>&);

}  // namespace nearfar::detail
