#include "nearfar/losses/nt_xent.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, NtXent)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LOSS, NtXent)

}  // namespace nearfar
