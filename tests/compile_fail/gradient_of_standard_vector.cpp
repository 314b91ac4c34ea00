// expect: nearfar: a gradient has a shape. Pass nearfar::GradientRows<S>(numbers, n, d)
#include <nearfar/nearfar.hpp>
#include <vector>

void write(const nearfar::Matrix<float>& x, const std::vector<int>& labels,
           std::vector<float>& dx) {
  nearfar::SupCon<float>().forward_backward(x, labels, dx);
}
