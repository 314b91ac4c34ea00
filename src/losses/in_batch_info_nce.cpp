#include "nearfar/losses/impl/in_batch_info_nce.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const InBatchInfoNceOptions& options,
                                                   const KernelValue<float>& kernel,
                                                   const Inputs<float, 3>& inputs,
                                                   const InBatchExtras<float>& extras);
template NEARFAR_EXPORT TemperatureResult evaluate(const InBatchInfoNceOptions& options,
                                                   const KernelValue<double>& kernel,
                                                   const Inputs<double, 3>& inputs,
                                                   const InBatchExtras<double>& extras);

}  // namespace nearfar::detail
