#include "nearfar/sharded/impl/alignment.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const AlignmentOptions&, const ShardedInputs<float, 2>&);
template NEARFAR_EXPORT Result evaluate(const AlignmentOptions&, const ShardedInputs<double, 2>&);

}  // namespace nearfar::detail
