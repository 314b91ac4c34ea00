#include "nearfar/losses/impl/multi_similarity.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const MultiSimilarityOptions&, const KernelValue<float>&,
                                        const LabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const MultiSimilarityOptions&, const KernelValue<double>&,
                                        const LabelledInputs<double>&);

}  // namespace nearfar::detail
