#include "nearfar/sharded/sup_con.hpp"
#include "parts.hpp"

namespace nearfar::sharded {

NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, SupCon)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_INSTANTIATE_LOSS, SupCon)

}  // namespace nearfar::sharded
