#include "nearfar/sharded/impl/uniformity.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const UniformityOptions&, const ShardedInputs<float, 1>&);
template NEARFAR_EXPORT Result evaluate(const UniformityOptions&, const ShardedInputs<double, 1>&);

}  // namespace nearfar::detail
