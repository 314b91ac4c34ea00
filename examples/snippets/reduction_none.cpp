// Reduction::none: one value for each row. Code after the loss weights them and returns its
// gradient.
#include <cmath>
#include <iostream>
#include <nearfar/losses/triplet.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<double>;
  const Matrix a = Matrix::Random(8, 4), p = Matrix::Random(8, 4), n = Matrix::Random(8, 4);
  const nearfar::Triplet<double> each({.reduction = nearfar::Reduction::none});
  const nearfar::Triplet<double> mean;

  // Weight large losses more: L = 1/N sum of values squared, so dL/d(value) = 2/N value.
  const std::vector<double> values = each.forward(a, p, n).values;
  std::vector<double> upstream;
  for (const double v : values) upstream.push_back(2.0 / 8 * v);
  Matrix da, dp, dn;
  each.forward_backward(a, p, n, da, dp, dn, {.upstream = upstream});

  // With 1/N for each row it is the mean.
  Matrix da1, dp1, dn1, da2, dp2, dn2;
  const std::vector<double> eighths(8, 1.0 / 8);
  each.forward_backward(a, p, n, da1, dp1, dn1, {.upstream = eighths});
  mean.forward_backward(a, p, n, da2, dp2, dn2);
  const double apart = (da1 - da2).cwiseAbs().maxCoeff();

  std::cout << "values";
  for (const double v : values) std::cout << ' ' << v;
  std::cout << "\n|da| of the squares " << da.norm() << "; none against mean: " << apart << '\n';
  return values.size() == 8 && apart < 1e-14 ? 0 : 1;
}
