#include "nearfar/sharded/impl/vic_reg.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const VicRegOptions&, const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT Result evaluate(const VicRegOptions&, const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
