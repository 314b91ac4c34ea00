#include "nearfar/losses/impl/distillation.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const MarginMseOptions&, const KernelValue<float>&,
                                        const Inputs<float, 3>&, const Numbers<float>&);
template NEARFAR_EXPORT Result evaluate(const MarginMseOptions&, const KernelValue<double>&,
                                        const Inputs<double, 3>&, const Numbers<double>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const DistillKlOptions&,
                                                   const KernelValue<float>&,
                                                   const Inputs<float, 2>&, const Numbers<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const DistillKlOptions&,
                                                   const KernelValue<double>&,
                                                   const Inputs<double, 2>&,
                                                   const Numbers<double>&);

}  // namespace nearfar::detail
