// expect: nearfar: these rows are of another scalar type than the loss
#include <nearfar/nearfar.hpp>
#include <vector>

double value(const nearfar::Matrix<int>& x, const std::vector<int>& labels) {
  return nearfar::SupCon<float>().forward(x, labels).value;
}
