#include "nearfar/losses/impl/lifted_structure.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const LiftedStructureOptions&, const KernelValue<float>&,
                                        const LabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const LiftedStructureOptions&, const KernelValue<double>&,
                                        const LabelledInputs<double>&);

}  // namespace nearfar::detail
