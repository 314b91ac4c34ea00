#include "nearfar/losses/impl/centroid_triplet.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const CentroidTripletOptions&, const KernelValue<float>&,
                                        const Inputs<float, 1>&, const Targets&);
template NEARFAR_EXPORT Result evaluate(const CentroidTripletOptions&, const KernelValue<double>&,
                                        const Inputs<double, 1>&, const Targets&);

}  // namespace nearfar::detail
