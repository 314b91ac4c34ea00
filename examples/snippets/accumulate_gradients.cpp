// Two losses on the same rows: the second adds its gradient to the first's.
#include <iostream>
#include <nearfar/losses/alignment.hpp>
#include <nearfar/losses/uniformity.hpp>

int main() {
  using Matrix = nearfar::Matrix<double>;
  const Matrix x = Matrix::Random(32, 8);
  const Matrix y = x + 0.2 * Matrix::Random(32, 8);
  const nearfar::Alignment<double> alignment;
  const nearfar::Uniformity<double> uniformity;

  // alignment(x, y) + (uniformity(x) + uniformity(y)) / 2
  Matrix dx, dy;
  double value = alignment.forward_backward(x, y, dx, dy).value;
  value += 0.5 * uniformity.forward_backward(x, nearfar::accumulate(dx), {.upstream = 0.5}).value;
  value += 0.5 * uniformity.forward_backward(y, nearfar::accumulate(dy), {.upstream = 0.5}).value;

  Matrix alone, other, unused;
  alignment.forward_backward(x, y, alone, unused);
  uniformity.forward_backward(x, other, {.upstream = 0.5});
  const double apart = (dx - alone - other).cwiseAbs().maxCoeff();
  std::cout << "loss " << value << ", |dx| " << dx.norm() << ", off from the sum by " << apart
            << '\n';
  return apart < 1e-15 ? 0 : 1;
}
