#include "nearfar/losses/impl/vic_reg.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const VicRegOptions&, const Inputs<float, 2>&);
template NEARFAR_EXPORT Result evaluate(const VicRegOptions&, const Inputs<double, 2>&);

}  // namespace nearfar::detail
