#include "nearfar/losses/linear_contrastive.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_INSTANTIATE_LABEL_LOSS, LinearContrastive)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LABEL_LOSS, LinearContrastive)

}  // namespace nearfar
