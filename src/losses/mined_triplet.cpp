#include "nearfar/losses/impl/mined_triplet.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MinedTripletResult evaluate(const MinedTripletOptions&,
                                                    const KernelValue<float>&,
                                                    const LabelledInputs<float>&);
template NEARFAR_EXPORT MinedTripletResult evaluate(const MinedTripletOptions&,
                                                    const KernelValue<double>&,
                                                    const LabelledInputs<double>&);

}  // namespace nearfar::detail
