#include "nearfar/sharded/impl/proxy_anchor.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const ProxyAnchorOptions&,
                                        const ShardedProxyInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const ProxyAnchorOptions&,
                                        const ShardedProxyInputs<double>&);

}  // namespace nearfar::detail
