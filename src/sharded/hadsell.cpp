#include "nearfar/sharded/impl/hadsell.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<float>&,
                                        const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<double>&,
                                        const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
