#include "nearfar/losses/impl/gor.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const GorOptions&, const Inputs<float, 1>&);
template NEARFAR_EXPORT Result evaluate(const GorOptions&, const Inputs<double, 1>&);

}  // namespace nearfar::detail
