#include "nearfar/sharded/retrieval.hpp"
#include "parts.hpp"

namespace nearfar::sharded {

NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, Retrieval)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_INSTANTIATE_LOSS, Retrieval)

}  // namespace nearfar::sharded
