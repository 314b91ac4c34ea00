#include "nearfar/sharded/mined_triplet.hpp"
#include "parts.hpp"

namespace nearfar::sharded {

NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, MinedTriplet)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_INSTANTIATE_LOSS, MinedTriplet)

}  // namespace nearfar::sharded
