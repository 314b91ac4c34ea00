#include "nearfar/losses/impl/alignment.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const AlignmentOptions&, const Inputs<float, 2>&);
template NEARFAR_EXPORT Result evaluate(const AlignmentOptions&, const Inputs<double, 2>&);

}  // namespace nearfar::detail
