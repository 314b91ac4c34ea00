#include "nearfar/losses/impl/proxy_anchor.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const ProxyAnchorOptions&, const ProxyInputs<float>&);
template NEARFAR_EXPORT Result evaluate(const ProxyAnchorOptions&, const ProxyInputs<double>&);

}  // namespace nearfar::detail
