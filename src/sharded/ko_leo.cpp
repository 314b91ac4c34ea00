#include "nearfar/sharded/impl/ko_leo.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const KoLeoOptions&, const ShardedInputs<float, 1>&);
template NEARFAR_EXPORT Result evaluate(const KoLeoOptions&, const ShardedInputs<double, 1>&);

}  // namespace nearfar::detail
