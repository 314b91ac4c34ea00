#include "nearfar/losses/impl/intra_pair_variance.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT IntraPairVarianceResult evaluate(const IntraPairVarianceOptions&,
                                                         const KernelValue<float>&,
                                                         const LabelledInputs<float>&);
template NEARFAR_EXPORT IntraPairVarianceResult evaluate(const IntraPairVarianceOptions&,
                                                         const KernelValue<double>&,
                                                         const LabelledInputs<double>&);

}  // namespace nearfar::detail
