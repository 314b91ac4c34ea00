#include "nearfar/losses/mutual_information.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, MutualInformation)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LOSS, MutualInformation)

}  // namespace nearfar
