#include "nearfar/losses/impl/margin_loss.hpp"
#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MarginLossResult evaluate(const MarginLossOptions&,
                                                  const KernelValue<float>&,
                                                  const LabelledInputs<float>&);
template NEARFAR_EXPORT MarginLossResult evaluate(const MarginLossOptions&,
                                                  const KernelValue<double>&,
                                                  const LabelledInputs<double>&);
template NEARFAR_EXPORT Result evaluate(const MarginLossOptions&, const KernelValue<float>&,
                                        const LabelledInputs<float>&, const Rows<float>&,
                                        const GradientRows<float>&);
template NEARFAR_EXPORT Result evaluate(const MarginLossOptions&, const KernelValue<double>&,
                                        const LabelledInputs<double>&, const Rows<double>&,
                                        const GradientRows<double>&);

}  // namespace nearfar::detail
