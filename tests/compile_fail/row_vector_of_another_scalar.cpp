// expect: nearfar: these rows are of another scalar type than the loss
#include <nearfar/nearfar.hpp>

double value(const Eigen::RowVectorXd& row, const nearfar::Matrix<float>& keys) {
  return nearfar::InfoNce<float>().forward(row, keys).value;
}
