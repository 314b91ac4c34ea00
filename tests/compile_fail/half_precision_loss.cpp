// expect: nearfar: losses compute in float or in double
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<Eigen::half>& x) {
  return nearfar::InfoNce<Eigen::half>().forward(x, x).value;
}
