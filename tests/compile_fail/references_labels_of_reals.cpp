// expect: nearfar: labels are integers
#include <nearfar/nearfar.hpp>

double value(const nearfar::Matrix<float>& x, const Eigen::VectorXi& labels,
             const Eigen::VectorXd& reference_labels) {
  return nearfar::Retrieval<float>().evaluate(x, labels, x, reference_labels).map_at_r;
}
