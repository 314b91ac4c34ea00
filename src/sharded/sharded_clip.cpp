#include "nearfar/sharded/clip.hpp"
#include "parts.hpp"

namespace nearfar::sharded {

NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, Clip)

}  // namespace nearfar::sharded
