#include "nearfar/losses/impl/linear_contrastive.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT LinearContrastiveResult evaluate(const LinearContrastiveOptions&,
                                                         const KernelValue<float>&,
                                                         const LabelledInputs<float>&);
template NEARFAR_EXPORT LinearContrastiveResult evaluate(const LinearContrastiveOptions&,
                                                         const KernelValue<double>&,
                                                         const LabelledInputs<double>&);

template NEARFAR_EXPORT LinearContrastiveResult evaluate(const LinearContrastiveOptions&,
                                                         const KernelValue<float>&,
                                                         const PairListInputs<float>&);
template NEARFAR_EXPORT LinearContrastiveResult evaluate(const LinearContrastiveOptions&,
                                                         const KernelValue<double>&,
                                                         const PairListInputs<double>&);

template NEARFAR_EXPORT LinearContrastiveResult evaluate(const SnrContrastiveOptions&,
                                                         const KernelValue<float>&,
                                                         const LabelledInputs<float>&);
template NEARFAR_EXPORT LinearContrastiveResult evaluate(const SnrContrastiveOptions&,
                                                         const KernelValue<double>&,
                                                         const LabelledInputs<double>&);

}  // namespace nearfar::detail
