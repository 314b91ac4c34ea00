// expect: nearfar: rows must be contiguous in memory
#include <nearfar/core/matrix.hpp>

using EverySecond = Eigen::Map<const nearfar::Matrix<float>, 0, Eigen::Stride<Eigen::Dynamic, 2>>;

nearfar::Rows<float> view(const EverySecond& m) { return m; }
