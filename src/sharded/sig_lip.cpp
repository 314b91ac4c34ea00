#include "nearfar/sharded/impl/sig_lip.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT SigLipResult evaluate(const SigLipOptions&, const KernelValue<float>&,
                                              const ShardedInputs<float, 2>&, const Targets&);
template NEARFAR_EXPORT SigLipResult evaluate(const SigLipOptions&, const KernelValue<double>&,
                                              const ShardedInputs<double, 2>&, const Targets&);

}  // namespace nearfar::detail
