#include "nearfar/losses/circle.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_INSTANTIATE_LABEL_LOSS, Circle)

}  // namespace nearfar
