#include "nearfar/losses/impl/hadsell.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<float>&,
                                        const LabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<double>&,
                                        const LabelledInputs<double>&);

template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<float>&,
                                        const Inputs<float, 2>&, const Labels&);
template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<double>&,
                                        const Inputs<double, 2>&, const Labels&);

template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<float>&,
                                        const PairListInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const HadsellOptions&, const KernelValue<double>&,
                                        const PairListInputs<double>&);

}  // namespace nearfar::detail
