#include "nearfar/losses/info_nce.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, InfoNce)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LOSS, InfoNce)

}  // namespace nearfar
