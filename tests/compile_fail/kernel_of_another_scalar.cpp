// expect: nearfar: a kernel's matrix and the rows must have the same scalar type
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<float>& x, const nearfar::Matrix<double>& weight) {
  using Kernel = nearfar::Bilinear<double>;
  return nearfar::InfoNce<float, Kernel>({}, Kernel(weight)).forward(x, x).value;
}
