#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/angles.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

/// \file
/// Margins of softmax losses: functions that replace the score of a row with its own class.

namespace nearfar::detail {

/// cos(theta + m) if theta + m is at most pi; beyond it the line of slope 1 in the cosine of
/// ArcFace's authors. At theta = 0, where the function has a corner, the part of the slope that
/// diverges is left out.
template <class S>
ChangedScore<S> with_angular_margin(const Angle& angle, double margin) {
  const double cosine = portable::cos(margin);
  const double sine = portable::sin(margin);
  if (angle.cosine < -cosine) return {static_cast<S>(angle.cosine - margin * sine), S(1)};
  // A sine as small as the rounding errors of the rows has no direction.
  constexpr double least = 8 * static_cast<double>(std::numeric_limits<S>::epsilon());
  const double bend = angle.sine > least ? angle.cosine * sine / angle.sine : 0;
  return {static_cast<S>(angle.cosine * cosine - angle.sine * sine), static_cast<S>(cosine + bend)};
}

/// The value of a function of a cosine, and its derivative.
struct OfCosine {
  double value;
  double slope;
};

/// psi(theta) = (-1)^k cos(m theta) - 2k, k = floor(m theta / pi): it falls from 1 to 1 - 2m. By
/// Chebyshev's polynomials cos(m theta) = T_m(z) and dT_m/dz = m U_{m-1}(z).
inline OfCosine multiple_of_angle(double cosine, int multiple) {
  double t = 1;
  double next_t = cosine;
  double u = 0;  // U_{-1}
  double next_u = 1;
  for (int k = 0; k < multiple; ++k) {
    const double after_t = 2 * cosine * next_t - t;
    const double after_u = 2 * cosine * next_u - u;
    t = next_t;
    next_t = after_t;
    u = next_u;
    next_u = after_u;
  }
  int k = 0;
  while (k < multiple - 1 && cosine <= portable::cos((k + 1) * std::numbers::pi / multiple)) ++k;
  const double sign = k % 2 == 0 ? 1 : -1;
  return {sign * t - 2 * k, sign * multiple * u};
}

}  // namespace nearfar::detail
