#include "nearfar/metrics/impl/retrieval.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT RetrievalResult evaluate(const RetrievalOptions&, const KernelValue<float>&,
                                                 const TargetedRanks<float>&);
template NEARFAR_EXPORT RetrievalResult evaluate(const RetrievalOptions&,
                                                 const KernelValue<double>&,
                                                 const TargetedRanks<double>&);

}  // namespace nearfar::detail
