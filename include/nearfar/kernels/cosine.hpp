#pragma once

#include "nearfar/core/simd.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// Similarity s(x, y) = x . y / (|x| |y|), in [-1, 1]; 0, with zero gradient, when a row is zero.
/// ds/dx = (y/|y| - s x/|x|) / |x|, so that x . ds/dx = 0: only directions matter.
struct Cosine {
  static constexpr bool vectorised = true;
  static constexpr bool identity = true;
  static constexpr Geometry geometry = Geometry::cosine;
  static constexpr Orientation orientation = Orientation::similarity;

  template <class T>
  T score(T u) const {
    return u;
  }
  template <class T>
  T slope(T, T) const {
    return detail::constant<T>(1);
  }
};

/// Distance d(x, y) = 1 - x . y / (|x| |y|), in [0, 2]; 1, with zero gradient, when a row is zero.
/// Half the squared Euclidean distance of the normalised rows.
struct CosineDistance {
  static constexpr bool vectorised = true;
  static constexpr Geometry geometry = Geometry::cosine;
  static constexpr Orientation orientation = Orientation::distance;

  template <class T>
  T score(T u) const {
    return detail::constant<T>(1) - u;
  }
  template <class T>
  T slope(T, T) const {
    return detail::constant<T>(-1);
  }
};

}  // namespace nearfar
