#include "nearfar/metrics/retrieval.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, Retrieval)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LOSS, Retrieval)

}  // namespace nearfar
