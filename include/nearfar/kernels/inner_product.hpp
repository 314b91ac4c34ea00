#pragma once

#include "nearfar/kernels/kernel.hpp"

namespace nearfar {

/// Similarity s(x, y) = x . y for rows of D elements; any real number.
/// ds/dx = y, ds/dy = x. A call throws std::domain_error if x . y overflows the scalar type.
struct InnerProduct {
  static constexpr Geometry geometry = Geometry::inner_product;
  static constexpr Orientation orientation = Orientation::similarity;
  using FunctionOf = InnerProduct;
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
