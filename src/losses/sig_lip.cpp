#include "nearfar/losses/impl/sig_lip.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT SigLipResult evaluate(const SigLipOptions&, const KernelValue<float>&,
                                              const Inputs<float, 2>&, const Targets&);
template NEARFAR_EXPORT SigLipResult evaluate(const SigLipOptions&, const KernelValue<double>&,
                                              const Inputs<double, 2>&, const Targets&);

}  // namespace nearfar::detail
