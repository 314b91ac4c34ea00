#include "nearfar/sharded/impl/margin_loss.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MarginLossResult evaluate(const MarginLossOptions&,
                                                  const KernelValue<float>&,
                                                  const ShardedLabelledInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const MarginLossOptions&, const KernelValue<float>&,
                                        const ShardedLabelledInputs<float>&, const Rows<float>&,
                                        const GradientRows<float>&);
template NEARFAR_EXPORT MarginLossResult evaluate(const MarginLossOptions&,
                                                  const KernelValue<double>&,
                                                  const ShardedLabelledInputs<double>&);
template NEARFAR_EXPORT Result evaluate(const MarginLossOptions&, const KernelValue<double>&,
                                        const ShardedLabelledInputs<double>&, const Rows<double>&,
                                        const GradientRows<double>&);

}  // namespace nearfar::detail
