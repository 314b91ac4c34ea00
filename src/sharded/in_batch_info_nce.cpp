#include "nearfar/sharded/impl/in_batch_info_nce.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const InBatchInfoNceOptions&,
                                                   const KernelValue<float>&,
                                                   const ShardedInputs<float, 3>&,
                                                   const InBatchExtras<float>&);
template NEARFAR_EXPORT TemperatureResult evaluate(const InBatchInfoNceOptions&,
                                                   const KernelValue<double>&,
                                                   const ShardedInputs<double, 3>&,
                                                   const InBatchExtras<double>&);

}  // namespace nearfar::detail
