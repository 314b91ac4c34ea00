#include "nearfar/losses/sig_lip.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, SigLip)

}  // namespace nearfar
