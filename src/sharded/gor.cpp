#include "nearfar/sharded/impl/gor.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const GorOptions&, const ShardedInputs<float, 1>&);
template NEARFAR_EXPORT Result evaluate(const GorOptions&, const ShardedInputs<double, 1>&);

}  // namespace nearfar::detail
