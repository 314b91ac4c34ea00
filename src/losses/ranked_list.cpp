#include "nearfar/losses/impl/ranked_list.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const RankedListOptions&, const KernelValue<float>&,
                                        const LabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const RankedListOptions&, const KernelValue<double>&,
                                        const LabelledInputs<double>&);

}  // namespace nearfar::detail
