#include "nearfar/losses/sig_lip.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, SigLip)

}  // namespace nearfar
