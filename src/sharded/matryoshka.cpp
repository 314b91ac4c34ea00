#include "nearfar/sharded/impl/matryoshka.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT MatryoshkaResult evaluate(const MatryoshkaOptions&,
                                                  const KernelValue<float>&,
                                                  const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT MatryoshkaResult evaluate(const MatryoshkaOptions&,
                                                  const KernelValue<double>&,
                                                  const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
