#include "nearfar/metrics/impl/retrieval.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT RetrievalResult evaluate(const RetrievalOptions&, const KernelValue<float>&,
                                                 const RankedInputs<float>&);
template NEARFAR_EXPORT RetrievalResult evaluate(const RetrievalOptions&,
                                                 const KernelValue<double>&,
                                                 const RankedInputs<double>&);

}  // namespace nearfar::detail
