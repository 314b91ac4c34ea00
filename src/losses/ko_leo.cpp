#include "nearfar/losses/impl/ko_leo.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const KoLeoOptions&, const Inputs<float, 1>&);
template NEARFAR_EXPORT Result evaluate(const KoLeoOptions&, const Inputs<double, 1>&);

}  // namespace nearfar::detail
