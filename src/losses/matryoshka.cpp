#include "nearfar/losses/impl/matryoshka.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MatryoshkaResult evaluate(const MatryoshkaOptions&,
                                                  const KernelValue<float>&,
                                                  const Inputs<float, 2>&);
template NEARFAR_EXPORT MatryoshkaResult evaluate(const MatryoshkaOptions&,
                                                  const KernelValue<double>&,
                                                  const Inputs<double, 2>&);

}  // namespace nearfar::detail
