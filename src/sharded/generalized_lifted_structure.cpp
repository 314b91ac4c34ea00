#include "nearfar/sharded/impl/generalized_lifted_structure.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const GeneralizedLiftedStructureOptions&,
                                        const KernelValue<float>&,
                                        const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const GeneralizedLiftedStructureOptions&,
                                        const KernelValue<double>&,
                                        const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
