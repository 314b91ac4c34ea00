#include "nearfar/losses/multi_similarity.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_INSTANTIATE_LABEL_LOSS, MultiSimilarity)

}  // namespace nearfar
