#include "nearfar/losses/impl/nt_xent.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const NtXentOptions&, const KernelValue<float>&,
                                                   const Inputs<float, 2>&, const Targets&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NtXentOptions&, const KernelValue<double>&,
                                                   const Inputs<double, 2>&, const Targets&);

}  // namespace nearfar::detail
