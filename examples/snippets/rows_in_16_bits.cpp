// Rows in bfloat16, as a network in mixed precision gives them, and gradients in the same type.
#include <iostream>
#include <nearfar/losses/info_nce.hpp>

int main() {
  using Stored = nearfar::Matrix<Eigen::bfloat16>;  // or Eigen::half
  const nearfar::Matrix<float> rows = nearfar::Matrix<float>::Random(64, 16);
  const Stored queries = rows.cast<Eigen::bfloat16>();
  const nearfar::Matrix<float> keys = rows;  // each set has a type of its own

  // The loss computes in float. The gradient is that in float, rounded to nearest.
  const nearfar::InfoNce<float> loss;
  Stored d_queries;
  nearfar::Matrix<float> d_keys;
  const double value = loss.forward_backward(queries, keys, d_queries, d_keys).value;

  const nearfar::Matrix<float> exact = queries.cast<float>();
  const double same = loss.forward(exact, keys).value;
  std::cout << "loss " << value << ", of the same rows in float " << same << ", |d_queries| "
            << d_queries.cast<float>().norm() << '\n';
  return value == same ? 0 : 1;
}
