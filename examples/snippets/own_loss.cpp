// A loss of your own, without an N x M matrix: a term gets rows of scores, part by part. Here
// RINCE, which tolerates false positives (Chuang et al., Robust contrastive learning against noisy
// views, 2022): L_i = -exp(q s_ii / tau) / q + (lambda sum_j exp(s_ij / tau))^q / q.
#include <cmath>
#include <iostream>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/terms/score_pass.hpp>

using nearfar::Index;
using Matrix = nearfar::Matrix<double>;

template <class S>
class RinceTerm final : public nearfar::RowTerm<S> {
 public:
  explicit RinceTerm(Index rows) : sum_(rows), own_(rows) {}

  void start(Index i) override { sum_(i) = own_(i) = 0; }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    for (Index j = 0; j < n; ++j) sum_(i) += std::exp(s[j] / tau_);
    if (first <= i && i < first + n) own_(i) = std::exp(s[i - first] / tau_);
  }
  void close(Index) override {}
  double value(Index i) const override {
    return (std::pow(lambda_ * sum_(i), q_) - std::pow(own_(i), q_)) / q_;
  }
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const double slope = std::pow(lambda_ * sum_(i), q_) / (sum_(i) * tau_);
    for (Index j = 0; j < n; ++j) g[j] = static_cast<S>(slope * std::exp(s[j] / tau_));
    if (first <= i && i < first + n) g[i - first] -= static_cast<S>(std::pow(own_(i), q_) / tau_);
  }

 private:
  const double tau_ = 0.5, q_ = 0.5, lambda_ = 0.025;
  Eigen::ArrayXd sum_, own_;  // of a row: all exponentials, and the positive's
};

int main() {
  Matrix queries = Matrix::Random(6, 3), keys = Matrix::Random(6, 3);
  RinceTerm<double> term(queries.rows());
  const nearfar::ScorePass<double> pass;  // cosine; the mean over queries
  Matrix d_queries, d_keys;
  pass.forward_backward(term, queries, keys, d_queries, d_keys);

  const auto report =
      nearfar::check_gradient<double>([&] { return pass.forward(term, queries, keys).value; },
                                      {{"queries", queries, d_queries}, {"keys", keys, d_keys}});
  std::cout << report << '\n';
  return report.passed ? 0 : 1;
}
