// expect: nearfar: a gradient needs a buffer that can be written to
#include <nearfar/core/matrix.hpp>

nearfar::GradientRows<float> target(const nearfar::Matrix<float>& m) { return m; }
