// expect: nearfar: labels are integers
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<float>& x, const double* labels) {
  return nearfar::SupCon<float>().forward(x, nearfar::Labels(labels, x.rows())).value;
}
