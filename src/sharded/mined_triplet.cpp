#include "nearfar/sharded/impl/mined_triplet.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MinedTripletResult evaluate(const MinedTripletOptions&,
                                                    const KernelValue<float>&,
                                                    const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT MinedTripletResult evaluate(const MinedTripletOptions&,
                                                    const KernelValue<double>&,
                                                    const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
