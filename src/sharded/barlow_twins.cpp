#include "nearfar/sharded/impl/barlow_twins.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const BarlowTwinsOptions&, const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT Result evaluate(const BarlowTwinsOptions&, const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
