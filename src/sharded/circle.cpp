#include "nearfar/sharded/impl/circle.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const CircleOptions&, const KernelValue<float>&,
                                        const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const CircleOptions&, const KernelValue<double>&,
                                        const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
