#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "support/oracle.hpp"

/// \file
/// Values as functions of a learnable number.

namespace support {

using oracle::Real;

/// f at x, and its derivative by differences of long doubles.
struct Slope {
  Real value;
  Real derivative;

  Slope(const std::function<Real(Real)>& f, Real x) : value(f(x)) {
    const Real h = Real(1e-4);
    const Real wide = (f(x + h) - f(x - h)) / (2 * h);
    const Real narrow = (f(x + h / 2) - f(x - h / 2)) / h;
    derivative = (4 * narrow - wide) / 3;
  }
};

inline void expect_derivative(double got, Real wanted, const char* what) {
  EXPECT_LE(std::abs(static_cast<Real>(got) - wanted),
            Real(1e-9) * std::max<Real>(1, std::abs(wanted)))
      << what << ": got " << got << ", wanted " << wanted;
}

inline Real softplus(Real z) { return std::max<Real>(z, 0) + std::log1p(std::exp(-std::abs(z))); }

}  // namespace support
