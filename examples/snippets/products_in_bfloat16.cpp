// Rows in bfloat16 multiplied as they are, about twice as fast, where the processor can.
#include <cmath>
#include <iostream>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/losses/info_nce.hpp>

int main() {
  using Stored = nearfar::Matrix<Eigen::bfloat16>;
  const nearfar::Matrix<float> rows = nearfar::Matrix<float>::Random(300, 64);
  const Stored queries = rows.cast<Eigen::bfloat16>();
  const Stored keys =
      (rows + 0.1f * nearfar::Matrix<float>::Random(300, 64)).cast<Eigen::bfloat16>();

  nearfar::CallOptions<float> call;
  if (nearfar::has_bfloat16_products()) call.products = nearfar::Products::bfloat16;

  const nearfar::InfoNce<float> loss;
  nearfar::Matrix<float> dq, dk, exact_dq, exact_dk;
  const double value = loss.forward_backward(queries, keys, dq, dk, call).value;
  const double exact = loss.forward_backward(queries, keys, exact_dq, exact_dk).value;
  const float error = (dq - exact_dq).norm() / exact_dq.norm();
  std::cout << "loss " << value << ", with products in float " << exact
            << "; the gradients differ by " << error << " of their norm\n";
  return std::abs(value - exact) < 1e-5 && error < 1.0f / 256 ? 0 : 1;
}
