#include "nearfar/losses/sup_con.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_INSTANTIATE_LABEL_LOSS, SupCon)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LABEL_LOSS, SupCon)

}  // namespace nearfar
