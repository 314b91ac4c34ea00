#include "nearfar/losses/hadsell.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LABEL_LOSS, HadsellContrastive)

}  // namespace nearfar
