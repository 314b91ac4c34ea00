#include "nearfar/scores/impl/paired.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT void evaluate_paired(const KernelValue<float>&, const Inputs<float, 2>&,
                                             float*);
template NEARFAR_EXPORT void evaluate_paired_backward(const KernelValue<float>&,
                                                      const Inputs<float, 2>&, const Rows<float>&);
template NEARFAR_EXPORT void evaluate_paired(const KernelValue<double>&, const Inputs<double, 2>&,
                                             double*);
template NEARFAR_EXPORT void evaluate_paired_backward(const KernelValue<double>&,
                                                      const Inputs<double, 2>&,
                                                      const Rows<double>&);

}  // namespace nearfar::detail
