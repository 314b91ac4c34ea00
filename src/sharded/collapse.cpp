#include "nearfar/sharded/impl/collapse.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT CollapseResult evaluate(const Sharding&, const CollapseOptions&,
                                                const Rows<float>&, const CallOptions<float>&,
                                                double (*)(const UpperGram&));
template NEARFAR_EXPORT CollapseResult evaluate(const Sharding&, const CollapseOptions&,
                                                const Rows<double>&, const CallOptions<double>&,
                                                double (*)(const UpperGram&));

}  // namespace nearfar::detail
