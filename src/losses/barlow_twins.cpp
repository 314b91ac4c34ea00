#include "nearfar/losses/impl/barlow_twins.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const BarlowTwinsOptions&, const Inputs<float, 2>&);
template NEARFAR_EXPORT Result evaluate(const BarlowTwinsOptions&, const Inputs<double, 2>&);

}  // namespace nearfar::detail
