#include "nearfar/losses/impl/triplet.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const TripletOptions&, const KernelValue<float>&,
                                        const Inputs<float, 3>&);
template NEARFAR_EXPORT Result evaluate(const TripletOptions&, const KernelValue<double>&,
                                        const Inputs<double, 3>&);

template NEARFAR_EXPORT Result evaluate(const TripletOptions&, const KernelValue<float>&,
                                        const TripletListInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const TripletOptions&, const KernelValue<double>&,
                                        const TripletListInputs<double>&);

}  // namespace nearfar::detail
