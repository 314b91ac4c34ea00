// A loss of given pairs from their scores and gradients of scores. The example is PyTorch's
// CosineEmbeddingLoss, which the library also has as nearfar::CosineEmbedding.
#include <algorithm>
#include <iostream>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/kernels/cosine.hpp>
#include <nearfar/scores/paired.hpp>
#include <vector>

using Vector = nearfar::Vector<double>;

// The mean of 1 - s for rows that belong together, of max(0, s - margin) for others.
double embedding_loss(const Vector& s, const std::vector<bool>& same, double margin, Vector& ds) {
  const auto n = static_cast<double>(s.size());
  ds = Vector::Zero(s.size());
  double sum = 0;
  for (nearfar::Index i = 0; i < s.size(); ++i) {
    if (same[static_cast<std::size_t>(i)]) {
      sum += 1 - s[i];
      ds[i] = -1 / n;
    } else if (s[i] > margin) {
      sum += s[i] - margin;
      ds[i] = 1 / n;
    }
  }
  return sum / n;
}

int main() {
  nearfar::Matrix<double> a = nearfar::Matrix<double>::Random(8, 4);
  nearfar::Matrix<double> b = nearfar::Matrix<double>::Random(8, 4);
  const std::vector<bool> same = {true, false, true, false, true, false, true, false};
  const nearfar::Cosine kernel;

  Vector ds;
  nearfar::Matrix<double> da, db;
  const double value = embedding_loss(nearfar::paired(a, b, kernel), same, -0.5, ds);
  nearfar::paired_backward(ds, a, b, da, db, kernel);

  Vector unused;
  const auto report = nearfar::check_gradient<double>(
      [&] { return embedding_loss(nearfar::paired(a, b, kernel), same, -0.5, unused); },
      {{"a", a, da}, {"b", b, db}});
  std::cout << "loss " << value << "; " << report << '\n';
  return report.passed ? 0 : 1;
}
