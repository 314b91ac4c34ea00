#include "nearfar/sharded/nt_xent.hpp"
#include "parts.hpp"

namespace nearfar::sharded {

NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, NtXent)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_INSTANTIATE_LOSS, NtXent)

}  // namespace nearfar::sharded
