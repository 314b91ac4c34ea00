#include "nearfar/losses/impl/generalized_lifted_structure.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const GeneralizedLiftedStructureOptions&,
                                        const KernelValue<float>&, const LabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const GeneralizedLiftedStructureOptions&,
                                        const KernelValue<double>&, const LabelledInputs<double>&);

}  // namespace nearfar::detail
