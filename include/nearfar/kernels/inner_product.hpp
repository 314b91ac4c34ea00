#pragma once

#include "nearfar/core/simd.hpp"
#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// Similarity s(x, y) = x . y for rows of D elements; any real number.
/// ds/dx = y, ds/dy = x. Throws std::domain_error from a call when rows are so long that x . y
/// overflows the scalar type.
struct InnerProduct {
  static constexpr bool vectorised = true;
  static constexpr bool identity = true;
  static constexpr Geometry geometry = Geometry::inner_product;
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

}  // namespace nearfar
