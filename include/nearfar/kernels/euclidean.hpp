#pragma once

#include <cmath>

#include "nearfar/core/simd.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// Distance d(x, y) = |x - y| = sqrt(sum_k (x_k - y_k)^2) >= 0.
/// dd/dx = (x - y) / d; at d = 0, where there is no derivative, the subgradient 0.
struct Euclidean {
  static constexpr bool vectorised = true;
  static constexpr Geometry geometry = Geometry::squared_distance;
  static constexpr Orientation orientation = Orientation::distance;

  template <class T>
  T score(T u) const {
    using std::sqrt;
    return sqrt(u);
  }
  template <class T>
  T slope(T, T s) const {
    return detail::constant<T>(0.5) * detail::reciprocal_or_zero(s);
  }
};

}  // namespace nearfar
