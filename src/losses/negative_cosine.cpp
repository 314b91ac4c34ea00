#include "nearfar/losses/impl/negative_cosine.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const NegativeCosineOptions&, const Inputs<float, 4>&);
template NEARFAR_EXPORT Result evaluate(const NegativeCosineOptions&, const Inputs<double, 4>&);
template NEARFAR_EXPORT Result evaluate(const ByolOptions&, const Inputs<float, 4>&);
template NEARFAR_EXPORT Result evaluate(const ByolOptions&, const Inputs<double, 4>&);

}  // namespace nearfar::detail
