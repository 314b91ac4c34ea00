#include "nearfar/sharded/impl/retrieval.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT RetrievalResult evaluate(const RetrievalOptions&, const KernelValue<float>&,
                                                 const ShardedRankedInputs<float>&);
template NEARFAR_EXPORT RetrievalResult evaluate(const RetrievalOptions&,
                                                 const KernelValue<double>&,
                                                 const ShardedRankedInputs<double>&);

}  // namespace nearfar::detail
