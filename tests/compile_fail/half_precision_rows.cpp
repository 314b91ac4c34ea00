// expect: nearfar: these rows are of another scalar type than the loss
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<Eigen::half>& x) {
  return nearfar::InfoNce<double>().forward(x, x).value;
}
