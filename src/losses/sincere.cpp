#include "nearfar/losses/impl/sincere.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const SincereOptions&, const KernelValue<float>&,
                                                   const LabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const SincereOptions&,
                                                   const KernelValue<double>&,
                                                   const LabelledInputs<double>&);

}  // namespace nearfar::detail
