#include "nearfar/losses/impl/angular.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const AngularOptions&, const KernelValue<float>&,
                                        const LabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const AngularOptions&, const KernelValue<double>&,
                                        const LabelledInputs<double>&);

}  // namespace nearfar::detail
