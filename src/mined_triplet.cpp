#include "nearfar/losses/mined_triplet.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_INSTANTIATE_LABEL_LOSS, MinedTriplet)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LABEL_LOSS, MinedTriplet)

}  // namespace nearfar
