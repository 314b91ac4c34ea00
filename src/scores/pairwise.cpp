#include "nearfar/scores/impl/pairwise.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT void evaluate_pairwise(const KernelValue<float>&, const Inputs<float, 2>&,
                                               GradientRows<float>);
template NEARFAR_EXPORT void evaluate_pairwise_backward(const KernelValue<float>&,
                                                        const Inputs<float, 2>&,
                                                        const Rows<float>&);
template NEARFAR_EXPORT void evaluate_pairwise(const KernelValue<double>&, const Inputs<double, 2>&,
                                               GradientRows<double>);
template NEARFAR_EXPORT void evaluate_pairwise_backward(const KernelValue<double>&,
                                                        const Inputs<double, 2>&,
                                                        const Rows<double>&);

}  // namespace nearfar::detail
