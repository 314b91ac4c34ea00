// dlib's matrices are row-major: one row for each item, without a copy.
#include <dlib/matrix.h>

#include <cmath>
#include <iostream>
#include <nearfar/losses/info_nce.hpp>

int main() {
  const dlib::matrix<float> queries = dlib::matrix_cast<float>(dlib::randm(64, 16));
  const dlib::matrix<float> keys = queries + 0.1f * dlib::matrix_cast<float>(dlib::randm(64, 16));
  dlib::matrix<float> d_queries(64, 16);

  const nearfar::Rows<float> rows(queries.begin(), queries.nr(), queries.nc());
  const nearfar::InfoNce<float> loss;
  const auto result = loss.forward_backward(
      rows, nearfar::Rows<float>(keys.begin(), keys.nr(), keys.nc()),
      nearfar::GradientRows<float>(d_queries.begin(), d_queries.nr(), d_queries.nc()),
      nearfar::no_gradient);
  std::cout << "loss " << result.value << ", gradient " << dlib::length(d_queries) << '\n';

  // A gradient of cosines is orthogonal to its row.
  const float along = dlib::dot(dlib::rowm(d_queries, 0), dlib::rowm(queries, 0));
  const bool same_memory = rows.data() == &queries(0, 0);
  return same_memory && std::abs(along) < 1e-4f && d_queries(0, 0) != 0 ? 0 : 1;
}
