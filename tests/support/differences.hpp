#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/compare.hpp"
#include "support/oracle.hpp"

/// \file
/// Gradients against central differences of a loss by loops in long double, which has enough digits
/// for small steps.

namespace support {

/// Compares dx with the differences of value(rows) at x, where there is no kink within a step.
template <class S, class Value>
void expect_differences(const Matrix<S>& x, const Matrix<S>& dx, const Value& value) {
  constexpr oracle::Real step = 1e-6L;
  oracle::Matrix at = oracle::exact(x);
  oracle::Matrix want(x.rows(), x.cols());
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index k = 0; k < x.cols(); ++k) {
      const oracle::Real here = at(i, k);
      at(i, k) = here + step;
      const oracle::Real above = value(at);
      at(i, k) = here - step;
      want(i, k) = (above - value(at)) / (2 * step);
      at(i, k) = here;
    }
  }
  ASSERT_EQ(dx.rows(), x.rows());
  ASSERT_EQ(dx.cols(), x.cols());
  const oracle::Real largest = want.size() > 0 ? want.cwiseAbs().maxCoeff() : 0;
  const oracle::Real allowed =
      (sizeof(S) == sizeof(float) ? 2e-4L : 1e-8L) * std::max<oracle::Real>(largest, 1e-3L);
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index k = 0; k < x.cols(); ++k) {
      EXPECT_LE(std::abs(static_cast<oracle::Real>(dx(i, k)) - want(i, k)), allowed)
          << "(" << i << ", " << k << "): got " << dx(i, k) << ", wanted " << want(i, k);
    }
  }
}

}  // namespace support
