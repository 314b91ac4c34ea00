// A loss of your own from the library's scores: compute dL/ds, and rows get their gradients through
// any kernel. Here ListNet's cross entropy of softmax(s) with target probabilities.
#include <cmath>
#include <iostream>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/kernels/cosine.hpp>
#include <nearfar/scores/pairwise.hpp>

using Matrix = nearfar::Matrix<double>;

// Mean over queries of -sum_j wanted_ij log p_ij, p the softmax of a row of scores.
double cross_entropy(const Matrix& scores, const Matrix& wanted, Matrix& d_scores) {
  const auto n = static_cast<double>(scores.rows());
  const Matrix e = (scores.colwise() - scores.rowwise().maxCoeff()).array().exp();
  const Matrix p = e.array().colwise() / e.rowwise().sum().array();
  d_scores = (p - wanted) / n;
  return -(wanted.array() * p.array().log()).sum() / n;
}

int main() {
  Matrix queries = Matrix::Random(5, 4);
  Matrix keys = Matrix::Random(7, 4);
  const Matrix wanted = Matrix::Constant(5, 7, 1.0 / 7);
  const nearfar::Cosine kernel;

  Matrix d_scores, d_queries, d_keys;
  cross_entropy(nearfar::pairwise(queries, keys, kernel), wanted, d_scores);
  nearfar::pairwise_backward(d_scores, queries, keys, d_queries, d_keys, kernel);

  Matrix unused;
  const auto report = nearfar::check_gradient<double>(
      [&] { return cross_entropy(nearfar::pairwise(queries, keys, kernel), wanted, unused); },
      {{"queries", queries, d_queries}, {"keys", keys, d_keys}});
  std::cout << report << '\n';
  return report.passed ? 0 : 1;
}
