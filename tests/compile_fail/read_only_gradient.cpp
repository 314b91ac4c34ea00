// expect: nearfar: a gradient needs a buffer that can be written to
#include <nearfar/core/matrix.hpp>

using ReadOnly = Eigen::Map<const nearfar::Matrix<float>>;

nearfar::GradientRows<float> target(ReadOnly& m) { return m; }
