// expect: nearfar needs Eigen 3.4 or later
#include <Eigen/Core>
// The answer of an older version.
#undef EIGEN_VERSION_AT_LEAST
#define EIGEN_VERSION_AT_LEAST(x, y, z) 0
#include <nearfar/nearfar.hpp>

int main() {}
