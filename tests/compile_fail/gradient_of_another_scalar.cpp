// expect: nearfar: this gradient is of another scalar type than the loss
#include <nearfar/nearfar.hpp>
#include <vector>

void write(const nearfar::Matrix<float>& x, const std::vector<int>& labels,
           nearfar::Matrix<double>& dx) {
  nearfar::SupCon<float>().forward_backward(x, labels, dx);
}
