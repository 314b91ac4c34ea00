// expect: nearfar: these numbers are of another type than the argument
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<float>& a, const nearfar::Matrix<float>& b,
             const Eigen::VectorXd& scores) {
  return nearfar::CoSent<float>().forward(a, b, scores).value;
}
