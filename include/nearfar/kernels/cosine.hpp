#pragma once

#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// Similarity s(x, y) = x . y / (|x| |y|), in [-1, 1]; 0, with zero gradient, if a row is zero.
/// ds/dx = (y/|y| - s x/|x|) / |x|, so that x . ds/dx = 0: lengths have no influence.
struct Cosine {
  static constexpr Geometry geometry = Geometry::cosine;
  static constexpr Orientation orientation = Orientation::similarity;
  using FunctionOf = Cosine;
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

/// Distance d(x, y) = 1 - x . y / (|x| |y|), in [0, 2]; 1, with zero gradient, if a row is zero. It
/// is half the squared Euclidean distance of the normalised rows.
struct CosineDistance {
  static constexpr Geometry geometry = Geometry::cosine;
  static constexpr Orientation orientation = Orientation::distance;
  using FunctionOf = CosineDistance;
  static constexpr auto function = detail::ScoreFunction::one_minus;

  template <class T>
  T score(T u) const {
    return T(1) - u;
  }
  template <class T>
  T slope(T, T) const {
    return T(-1);
  }
};

}  // namespace nearfar
