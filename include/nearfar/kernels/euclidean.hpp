#pragma once

#include <cmath>

#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// Distance d(x, y) = |x - y| = sqrt(sum_k (x_k - y_k)^2) >= 0.
/// dd/dx = (x - y) / d; at d = 0, where no derivative exists, the subgradient is 0.
struct Euclidean {
  static constexpr Geometry geometry = Geometry::squared_distance;
  static constexpr Orientation orientation = Orientation::distance;
  using FunctionOf = Euclidean;
  static constexpr auto function = detail::ScoreFunction::square_root;

  template <class T>
  T score(T u) const {
    using std::sqrt;
    return sqrt(u);
  }
  template <class T>
  T slope(T, T s) const {
    return s > T(0) ? T(0.5) / s : T(0);
  }
};

}  // namespace nearfar
