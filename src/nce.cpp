#include "nearfar/losses/nce.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, Nce)
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, NegativeSampling)

}  // namespace nearfar
