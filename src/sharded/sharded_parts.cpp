#define NEARFAR_SHARDED_PARTS_ARE_HERE
#include "parts.hpp"

namespace nearfar::detail {

NEARFAR_ALL_SHARDED_PARTS()

}  // namespace nearfar::detail
