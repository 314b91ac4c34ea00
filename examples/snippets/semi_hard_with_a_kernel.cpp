// Semi-hard triplets under a learnt distance |L (x - y)|: the kernel is a type, and its matrix has
// a gradient like the rows.
#include <iostream>
#include <nearfar/losses/mined_triplet.hpp>
#include <vector>

int main() {
  using Distance = nearfar::Mahalanobis<float>;
  const nearfar::Matrix<float> x = nearfar::Matrix<float>::Random(60, 8);
  std::vector<int> labels;  // only the first column distinguishes classes
  for (nearfar::Index i = 0; i < 60; ++i) labels.push_back(x(i, 0) > 0 ? 1 : 0);

  nearfar::Matrix<float> transform = nearfar::Matrix<float>::Identity(8, 8);  // L
  const nearfar::MinedTriplet<float, Distance> loss(
      {.margin = 0.5, .mining = nearfar::Mining::semihard}, Distance(transform));

  nearfar::Matrix<float> d_transform;
  for (int step = 0; step < 100; ++step) {  // each call uses the present L
    loss.forward_backward(x, labels, nearfar::no_gradient, {.d_parameter = d_transform});
    transform -= 0.2f * d_transform;
  }
  const double along = transform.col(0).norm();
  const double across = transform.rightCols(7).colwise().norm().mean();

  std::cout << "length of the column that matters " << along << ", of the others " << across
            << '\n';
  return along > 2 * across ? 0 : 1;
}
