#include "nearfar/sharded/impl/nt_xent.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT TemperatureResult evaluate(const NtXentOptions&, const KernelValue<float>&,
                                                   const ShardedInputs<float, 2>&, const Targets&);
template NEARFAR_EXPORT TemperatureResult evaluate(const NtXentOptions&, const KernelValue<double>&,
                                                   const ShardedInputs<double, 2>&, const Targets&);

}  // namespace nearfar::detail
