#include "nearfar/sharded/impl/multi_similarity.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const MultiSimilarityOptions&, const KernelValue<float>&,
                                        const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const MultiSimilarityOptions&, const KernelValue<double>&,
                                        const ShardedLabelledInputs<double>&);

}  // namespace nearfar::detail
