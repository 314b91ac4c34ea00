#include "nearfar/sharded/impl/info_nce.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<float>&,
                                               const ShardedInputs<float, 2>&,
                                               const InfoNceTargets&);
template NEARFAR_EXPORT InfoNceResult evaluate(const InfoNceOptions&, const KernelValue<double>&,
                                               const ShardedInputs<double, 2>&,
                                               const InfoNceTargets&);

}  // namespace nearfar::detail
