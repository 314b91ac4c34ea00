#include <cmath>
#include <cstdio>
#include <nearfar/nearfar.hpp>

// Losses of the compiled library together with losses compiled here, with flags that the library
// was not compiled with. Matrices cross the boundary and are freed on this side.

using nearfar::Matrix;

// The library has no code for it, so everything is compiled here.
struct OwnCosine : nearfar::Cosine {};

static Matrix<float> rows(nearfar::Index n, nearfar::Index d, int seed) {
  Matrix<float> m(n, d);
  for (nearfar::Index i = 0; i < n; ++i) {
    for (nearfar::Index k = 0; k < d; ++k) {
      m(i, k) = std::sin(static_cast<float>(seed + 7 * i * d + 3 * k));
    }
  }
  return m;
}

static bool near(const char* what, double got, double wanted) {
  const bool same = std::abs(got - wanted) <= 1e-4 * std::abs(wanted);
  if (!same) std::printf("%s: %g, wanted %g\n", what, got, wanted);
  return same;
}

int main() {
  const Matrix<float> queries = rows(130, 33, 1);
  const Matrix<float> keys = rows(130, 33, 2);
  std::vector<int> labels;
  for (int i = 0; i < 130; ++i) labels.push_back(i % 7);
  bool right = true;

  Matrix<float> dq;
  Matrix<float> dk;
  Matrix<float> own_dq;
  Matrix<float> own_dk;
  const nearfar::InfoNce<float> ready;
  const nearfar::InfoNce<float, OwnCosine> own;
  for (int turn = 0; turn < 2; ++turn) {
    const double value = ready.forward_backward(queries, keys, dq, dk).value;
    right &= near("InfoNCE", own.forward_backward(queries, keys, own_dq, own_dk).value, value);
    right &= near("its gradient", (own_dq - dq).norm() + dq.norm(), dq.norm());
    right &= near("its gradient", (own_dk - dk).norm() + dk.norm(), dk.norm());
  }

  const Matrix<float> map = rows(16, 33, 3);
  Matrix<float> d_map;
  const nearfar::HadsellContrastive<float, nearfar::Mahalanobis<float>> learnt(
      {}, nearfar::Mahalanobis<float>(map));
  learnt.forward_backward(queries, labels, dq, {.d_parameter = d_map});
  right &= d_map.rows() == 16 && d_map.cols() == 33 && d_map.allFinite();

  const nearfar::MinedTriplet<float, OwnCosine> own_triplets;
  const nearfar::MinedTriplet<float, nearfar::Cosine> triplets;
  right &= near("triplets", own_triplets.forward_backward(queries, labels, own_dq).value,
                triplets.forward_backward(queries, labels, dq).value);

  const auto found =
      nearfar::Retrieval<float>({.ks = {1, 4}, .per_query = true}).evaluate(queries, labels);
  right &= found.precision_per_query.size() == 260;
  return right ? 0 : 1;
}
