// Bad input is an exception that names the argument; no output has changed.
#include <iostream>
#include <limits>
#include <nearfar/losses/sup_con.hpp>
#include <stdexcept>
#include <vector>

int main() {
  nearfar::Matrix<float> x = nearfar::Matrix<float>::Random(4, 3);
  nearfar::Matrix<float> dx = nearfar::Matrix<float>::Constant(4, 3, 42);
  int caught = 0;

  try {  // options, shapes, labels
    nearfar::SupCon<float>({.temperature = 0});
  } catch (const std::invalid_argument& e) {
    std::cout << e.what() << '\n';
    ++caught;
  }
  const nearfar::SupCon<float> loss;
  try {
    loss.forward_backward(x, std::vector<int>{1, 1, 2}, dx);
  } catch (const std::invalid_argument& e) {
    std::cout << e.what() << '\n';
    ++caught;
  }
  x(2, 1) = std::numeric_limits<float>::quiet_NaN();
  try {  // elements that are not finite
    loss.forward_backward(x, std::vector<int>{1, 1, 2, 2}, dx);
  } catch (const std::domain_error& e) {
    std::cout << e.what() << '\n';
    ++caught;
  }
  // A row without a gradient is no error: it is skipped and counted.
  x(2, 1) = 0;
  const auto result = loss.forward(x, std::vector<int>{1, 1, 2, 3});
  std::cout << result.diagnostics.anchors_without_positive << " rows without a positive\n";
  return caught == 3 && (dx.array() == 42).all() ? 0 : 1;
}
