#pragma once

#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// Distance d(x, y) = |x - y|^2 = sum_k (x_k - y_k)^2 >= 0.
/// dd/dx = 2 (x - y). Values above the largest finite number of the scalar type saturate at it.
struct SquaredEuclidean {
  static constexpr Geometry geometry = Geometry::squared_distance;
  static constexpr Orientation orientation = Orientation::distance;
  using FunctionOf = SquaredEuclidean;
  static constexpr auto function = detail::ScoreFunction::identity;

  template <class T>
  T score(T u) const {
    return u;
  }
  template <class T>
  T slope(T, T) const {
    return T(1);
  }
};

}  // namespace nearfar
