// A lower bound on mutual information, maximised by training a bilinear critic on Gaussians of
// known mutual information.
#include <cmath>
#include <iostream>
#include <nearfar/losses/mutual_information.hpp>
#include <random>

int main() {
  using Matrix = nearfar::Matrix<double>;
  const double rho = 0.8;
  const double truth = -0.5 * 4 * std::log(1 - rho * rho);  // of 4 coordinates, in nats

  // The critic f = y^T W x + w |y|^2 + (terms that cancel) is one bilinear form of (x, 1) and
  // (y, |y|^2): the form of the logarithm of these densities.
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  const auto noise = [&] { return normal(random); };
  Matrix weight = Matrix::Zero(5, 5);
  const nearfar::MutualInformation<double, nearfar::Bilinear<double>> bound(
      {}, nearfar::Bilinear<double>(weight));

  double value = 0;
  for (int step = 0; step < 300; ++step) {
    Matrix x = Matrix::Ones(256, 5), y(256, 5);
    x.leftCols(4) = Matrix::NullaryExpr(256, 4, noise);
    y.leftCols(4) = rho * x.leftCols(4);
    y.leftCols(4) += std::sqrt(1 - rho * rho) * Matrix::NullaryExpr(256, 4, noise);
    y.col(4) = y.leftCols(4).rowwise().squaredNorm();
    Matrix d_weight;  // upstream -1: gradient descent then raises the bound
    const auto result = bound.forward_backward(x, y, nearfar::no_gradient, nearfar::no_gradient,
                                               {.d_parameter = d_weight, .upstream = -1.0});
    weight -= 0.2 * d_weight;
    value = result.value;
  }
  std::cout << "InfoNCE's bound " << value << ", truth " << truth << ", ceiling " << std::log(256.0)
            << '\n';
  return value > 0.7 * truth && value < 1.2 * truth ? 0 : 1;
}
