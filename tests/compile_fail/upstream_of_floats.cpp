// expect: nearfar: these numbers are of another type than the argument
#include <nearfar/nearfar.hpp>
#include <vector>

void write(const nearfar::Matrix<float>& x, const std::vector<int>& labels,
           const std::vector<float>& upstream, nearfar::Matrix<float>& dx) {
  const nearfar::SupCon<float> loss({.reduction = nearfar::Reduction::none});
  loss.forward_backward(x, labels, dx, {.upstream = upstream});
}
