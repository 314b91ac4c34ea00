#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Angles between two rows, from the rows themselves.

namespace nearfar::detail {

/// Cosine and sine of an angle from 0 to pi.
struct Angle {
  double cosine;
  double sine;
};

/// The angle between two normalised rows; a right angle if one is zero. A small angle comes from
/// the difference of the rows, because 1 - cos^2 has lost its digits.
template <class S>
Angle angle_of_directions(Index depth, const S* x, const S* y) {
  const RowLoops<S>& loops = row_loops<S>();
  const double cosine = std::clamp(loops.dot_in_double(depth, x, y), -1.0, 1.0);
  if (cosine < 0.75) return {cosine, std::sqrt((1 - cosine) * (1 + cosine))};
  const auto squared = static_cast<double>(loops.squared_distance(depth, x, y));
  return {1 - squared / 2, std::sqrt(squared * (1 - squared / 4))};
}

/// The cosine of the angle between rows of any lengths; 0 if one of them is zero.
template <class S>
double cosine_of_rows(Index depth, const S* x, double x_norm, const S* y, double y_norm) {
  if (!(x_norm > 0) || !(y_norm > 0)) return 0;
  const double both = x_norm * y_norm;
  double cosine = row_loops<S>().dot_in_double(depth, x, y) / both;
  constexpr double small = 1e-250;
  if (!(both > small && both < 1 / small)) {  // products that overflow or underflow
    cosine = 0;
    for (Index k = 0; k < depth; ++k) {
      cosine += static_cast<double>(x[k]) / x_norm * (static_cast<double>(y[k]) / y_norm);
    }
  }
  return std::clamp(cosine, -1.0, 1.0);
}

}  // namespace nearfar::detail
