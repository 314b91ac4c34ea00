// expect: nearfar: labels are integers
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<float>& x, const Eigen::RowVectorXf& labels) {
  return nearfar::SupCon<float>().forward(x, labels).value;
}
