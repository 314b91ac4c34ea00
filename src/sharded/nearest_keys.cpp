#include "nearfar/sharded/impl/nearest_keys.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT NearestResult<float> evaluate(const NearestOptions&,
                                                      const KernelValue<float>&,
                                                      const ShardedNearestInputs<float>&);
template NEARFAR_EXPORT NearestResult<double> evaluate(const NearestOptions&,
                                                       const KernelValue<double>&,
                                                       const ShardedNearestInputs<double>&);

}  // namespace nearfar::detail
