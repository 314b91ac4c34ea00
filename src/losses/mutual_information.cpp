#include "nearfar/losses/impl/mutual_information.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MutualInformationResult evaluate(const MutualInformationOptions&,
                                                         const KernelValue<float>&,
                                                         const Inputs<float, 2>&);
template NEARFAR_EXPORT MutualInformationResult evaluate(const MutualInformationOptions&,
                                                         const KernelValue<double>&,
                                                         const Inputs<double, 2>&);

}  // namespace nearfar::detail
