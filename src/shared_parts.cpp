#define NEARFAR_PARTS_ARE_HERE
#include "shared_parts.hpp"

namespace nearfar::detail {

NEARFAR_ALL_PARTS()

}  // namespace nearfar::detail
