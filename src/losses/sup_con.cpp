#include "nearfar/losses/impl/sup_con.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const SupConOptions&, const KernelValue<float>&,
                                                   const LabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const SupConOptions&, const KernelValue<double>&,
                                                   const LabelledInputs<double>&);

}  // namespace nearfar::detail
