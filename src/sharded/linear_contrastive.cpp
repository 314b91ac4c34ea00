#include "nearfar/sharded/impl/linear_contrastive.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT LinearContrastiveResult evaluate(const LinearContrastiveOptions&,
                                                         const KernelValue<float>&,
                                                         const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT LinearContrastiveResult evaluate(const LinearContrastiveOptions&,
                                                         const KernelValue<double>&,
                                                         const ShardedLabelledInputs<double>&);
template NEARFAR_EXPORT LinearContrastiveResult evaluate(const SnrContrastiveOptions&,
                                                         const KernelValue<float>&,
                                                         const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT LinearContrastiveResult evaluate(const SnrContrastiveOptions&,
                                                         const KernelValue<double>&,
                                                         const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
