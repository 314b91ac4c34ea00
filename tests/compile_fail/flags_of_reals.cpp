// expect: nearfar: labels are integers
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<float>& a, const nearfar::Matrix<float>& b,
             const Eigen::VectorXf& same) {
  return nearfar::HadsellContrastive<float>().forward(a, b, same).value;
}
