#include "nearfar/sharded/sig_lip.hpp"
#include "parts.hpp"

namespace nearfar::sharded {

NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, SigLip)

}  // namespace nearfar::sharded
