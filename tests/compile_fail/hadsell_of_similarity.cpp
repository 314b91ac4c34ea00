// expect: nearfar: HadsellContrastive needs a kernel that is a distance
#include <nearfar/nearfar.hpp>

nearfar::HadsellContrastive<float, nearfar::Cosine> loss;
