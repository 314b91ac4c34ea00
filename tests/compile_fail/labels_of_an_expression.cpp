// expect: nearfar: labels must lie in memory
#include <nearfar/core/labels.hpp>

nearfar::Labels view(const Eigen::VectorXi& v) { return v + v; }
