#include "nearfar/losses/impl/tuplet_margin.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const TupletMarginOptions&,
                                                   const KernelValue<float>&,
                                                   const LabelledInputs<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const TupletMarginOptions&,
                                                   const KernelValue<double>&,
                                                   const LabelledInputs<double>&);

}  // namespace nearfar::detail
