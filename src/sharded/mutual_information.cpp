#include "nearfar/sharded/impl/mutual_information.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MutualInformationResult evaluate(const MutualInformationOptions&,
                                                         const KernelValue<float>&,
                                                         const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT MutualInformationResult evaluate(const MutualInformationOptions&,
                                                         const KernelValue<double>&,
                                                         const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
