// Armadillo keeps D x N column-major, one column for each item: the same memory as N rows of D.
#include <armadillo>
#include <cmath>
#include <iostream>
#include <nearfar/losses/info_nce.hpp>

int main() {
  const arma::fmat queries(16, 64, arma::fill::randn);
  const arma::fmat keys = queries + 0.1f * arma::fmat(16, 64, arma::fill::randn);
  arma::fmat d_queries(16, 64);

  const auto rows = [](const arma::fmat& m) {
    return nearfar::Rows<float>(m.memptr(), m.n_cols, m.n_rows);
  };
  const nearfar::InfoNce<float> loss;
  const auto result = loss.forward_backward(
      rows(queries), rows(keys),
      nearfar::GradientRows<float>(d_queries.memptr(), d_queries.n_cols, d_queries.n_rows),
      nearfar::no_gradient);
  std::cout << "loss " << result.value << ", gradient " << arma::norm(d_queries, "fro") << '\n';

  // A gradient of cosines is orthogonal to its row.
  const float along = arma::dot(d_queries.col(0), queries.col(0));
  const bool same_memory = rows(queries).data() == queries.memptr();
  return same_memory && std::abs(along) < 1e-4f && d_queries.col(0).is_zero() == false ? 0 : 1;
}
