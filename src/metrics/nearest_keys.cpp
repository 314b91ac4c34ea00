#include "nearfar/metrics/impl/nearest_keys.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT NearestResult<float> evaluate(const NearestOptions&,
                                                      const KernelValue<float>&,
                                                      const NearestInputs<float>&);
template NEARFAR_EXPORT NearestResult<double> evaluate(const NearestOptions&,
                                                       const KernelValue<double>&,
                                                       const NearestInputs<double>&);

template NEARFAR_EXPORT void copy_nearest(const NearestResult<float>&, const Rows<float>&,
                                          GradientRows<float>);
template NEARFAR_EXPORT void copy_nearest(const NearestResult<double>&, const Rows<double>&,
                                          GradientRows<double>);

}  // namespace nearfar::detail
