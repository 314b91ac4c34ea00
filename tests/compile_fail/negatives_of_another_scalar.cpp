// expect: nearfar: these rows are of another scalar type than the loss
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<float>& x, const nearfar::Matrix<double>& negatives) {
  return nearfar::InfoNce<float>().forward(x, x, negatives).value;
}
