#include "nearfar/engine/impl/finite.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT void check_finite(const char*, const Rows<float>&, int);
template NEARFAR_EXPORT void check_finite(const char*, const Rows<double>&, int);

}  // namespace nearfar::detail
