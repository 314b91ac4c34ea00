// expect: nearfar: a gradient written to a temporary Matrix would be lost
#include <nearfar/core/matrix.hpp>

nearfar::GradientRows<float> target() { return nearfar::Matrix<float>(); }
