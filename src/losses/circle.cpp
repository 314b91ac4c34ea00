#include "nearfar/losses/impl/circle.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const CircleOptions&, const KernelValue<float>&,
                                        const LabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const CircleOptions&, const KernelValue<double>&,
                                        const LabelledInputs<double>&);

}  // namespace nearfar::detail
