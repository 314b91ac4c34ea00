#include "nearfar/losses/impl/nca.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const NcaOptions&, const KernelValue<float>&,
                                                   const LabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NcaOptions&, const KernelValue<double>&,
                                                   const LabelledInputs<double>&);

}  // namespace nearfar::detail
