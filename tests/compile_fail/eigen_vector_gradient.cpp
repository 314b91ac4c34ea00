// expect: nearfar: a vector of Eigen's is a column, N rows of one number
#include <nearfar/core/matrix.hpp>

nearfar::GradientRows<float> target(Eigen::VectorXf& v) { return v; }
