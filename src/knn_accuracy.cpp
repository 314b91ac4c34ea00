#include "nearfar/metrics/knn_accuracy.hpp"
#include "shared_parts.hpp"

namespace nearfar {

NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_INSTANTIATE_LOSS, KnnAccuracy)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_INSTANTIATE_LOSS, KnnAccuracy)

}  // namespace nearfar
