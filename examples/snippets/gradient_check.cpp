// Check a gradient of your own: every element is compared with differences of the function.
#include <iostream>
#include <nearfar/check/gradient_check.hpp>

int main() {
  using Matrix = nearfar::Matrix<double>;
  Matrix x = Matrix::Random(5, 3);
  const auto value = [&] { return 0.5 * x.squaredNorm(); };  // your loss, at the present x
  const Matrix right = x;                                    // the gradient you claim
  Matrix wrong = x;
  wrong(2, 1) += 0.01;

  const auto report = nearfar::check_gradient<double>(value, {{"x", x, right}});
  const auto caught = nearfar::check_gradient<double>(value, {{"x", x, wrong}});
  std::cout << report << '\n' << caught << '\n';
  return report.passed && !caught.passed && caught.worst.row == 2 && caught.worst.col == 1 ? 0 : 1;
}
