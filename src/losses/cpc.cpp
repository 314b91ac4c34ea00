#include "nearfar/losses/impl/cpc.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT CpcResult evaluate(const CpcOptions&, const Inputs<float, 3>&);
template NEARFAR_EXPORT CpcResult evaluate(const CpcOptions&, const Inputs<double, 3>&);

}  // namespace nearfar::detail
