#include "nearfar/losses/impl/clip.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT ClipResult evaluate(const ClipOptions&, const KernelValue<float>&,
                                            const Inputs<float, 2>&, const Targets&);
template NEARFAR_EXPORT ClipResult evaluate(const ClipOptions&, const KernelValue<double>&,
                                            const Inputs<double, 2>&, const Targets&);

}  // namespace nearfar::detail
