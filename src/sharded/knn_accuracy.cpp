#include "nearfar/sharded/impl/knn_accuracy.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT KnnResult evaluate(const KnnOptions&, const KernelValue<float>&,
                                           const ShardedRankedInputs<float>&);
template NEARFAR_EXPORT KnnResult evaluate(const KnnOptions&, const KernelValue<double>&,
                                           const ShardedRankedInputs<double>&);

}  // namespace nearfar::detail
