#include "nearfar/losses/lifted_structure.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_INSTANTIATE_LABEL_LOSS, LiftedStructure)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LABEL_LOSS, LiftedStructure)

}  // namespace nearfar
