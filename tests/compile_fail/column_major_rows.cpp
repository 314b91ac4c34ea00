// expect: nearfar: rows must be contiguous in memory
#include <nearfar/core/matrix.hpp>

// Eigen's default order: a Ref of it would compile and copy.
nearfar::Rows<float> view(const Eigen::MatrixXf& columns) { return columns; }
