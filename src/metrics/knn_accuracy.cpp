#include "nearfar/metrics/impl/knn_accuracy.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT KnnResult evaluate(const KnnOptions&, const KernelValue<float>&,
                                           const RankedInputs<float>&);
template NEARFAR_EXPORT KnnResult evaluate(const KnnOptions&, const KernelValue<double>&,
                                           const RankedInputs<double>&);

}  // namespace nearfar::detail
