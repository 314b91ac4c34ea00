// A kernel of your own, in any loss: here a Student t similarity, 1 / (1 + |x - y|^2).
#include <iostream>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/info_nce.hpp>

struct StudentT {
  static constexpr auto geometry = nearfar::Geometry::squared_distance;  // u = |x - y|^2
  static constexpr auto orientation = nearfar::Orientation::similarity;
  template <class S>
  S score(S u) const {
    return 1 / (1 + u);
  }
  template <class S>
  S slope(S, S s) const {  // ds/du, from u and s
    return -s * s;
  }
};

int main() {
  nearfar::Matrix<double> queries = nearfar::Matrix<double>::Random(6, 3);
  nearfar::Matrix<double> keys = nearfar::Matrix<double>::Random(6, 3);
  const nearfar::InfoNce<double, StudentT> loss({.temperature = 0.5});
  nearfar::Matrix<double> d_queries, d_keys;
  loss.forward_backward(queries, keys, d_queries, d_keys);

  const auto report =
      nearfar::check_gradient<double>([&] { return loss.forward(queries, keys).value; },
                                      {{"queries", queries, d_queries}, {"keys", keys, d_keys}});
  std::cout << report << '\n';
  return report.passed ? 0 : 1;
}
