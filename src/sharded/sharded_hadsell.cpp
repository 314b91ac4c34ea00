#include "nearfar/sharded/hadsell.hpp"
#include "parts.hpp"

namespace nearfar::sharded {

NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_INSTANTIATE_LOSS, HadsellContrastive)

}  // namespace nearfar::sharded
