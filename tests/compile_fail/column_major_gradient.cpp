// expect: nearfar: rows of a gradient must be contiguous in memory
#include <nearfar/core/matrix.hpp>

nearfar::GradientRows<float> target(Eigen::MatrixXf& columns) { return columns; }
