#include "nearfar/sharded/impl/intra_pair_variance.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT IntraPairVarianceResult evaluate(const IntraPairVarianceOptions&,
                                                         const KernelValue<float>&,
                                                         const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT IntraPairVarianceResult evaluate(const IntraPairVarianceOptions&,
                                                         const KernelValue<double>&,
                                                         const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
