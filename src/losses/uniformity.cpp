#include "nearfar/losses/impl/uniformity.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const UniformityOptions&, const Inputs<float, 1>&);
template NEARFAR_EXPORT Result evaluate(const UniformityOptions&, const Inputs<double, 1>&);

}  // namespace nearfar::detail
