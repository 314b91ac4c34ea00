#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/core/result.hpp>
#include <vector>

#include "support/oracle.hpp"
#include "support/slopes.hpp"
#include "support/tolerance.hpp"

/// \file
/// Losses of the inner products of rows, by plain loops: values of rows, and the derivatives of
/// their sum with respect to every score.

namespace support {

/// Compares a call with Reduction::none on rows x, and its gradient.
template <class S>
void expect_score_slopes(const nearfar::TemperatureResult& got, const nearfar::Matrix<S>& dx,
                         const ScoreSlopes& want, const nearfar::Matrix<S>& rows,
                         double temperature) {
  using nearfar::Index;
  const oracle::Matrix x = oracle::exact(rows);
  const oracle::Matrix s = x * x.transpose();
  Real largest = 0;
  for (const Real v : want.values) largest = std::max(largest, std::abs(v));
  ASSERT_EQ(got.values.size(), want.values.size());
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    ASSERT_LE(std::abs(static_cast<Real>(got.values[i]) - want.values[i]),
              Tolerance<S>::value * largest)
        << "value " << i << ": got " << got.values[i] << ", wanted " << want.values[i];
  }
  const oracle::Matrix both = want.slopes + want.slopes.transpose();
  const oracle::Matrix dx_wanted = both * x;
  const Real scale = (both.cwiseAbs() * x.cwiseAbs()).maxCoeff();
  ASSERT_EQ(dx.rows(), x.rows());
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index k = 0; k < x.cols(); ++k) {
      ASSERT_LE(std::abs(static_cast<Real>(dx(i, k)) - dx_wanted(i, k)),
                Tolerance<S>::gradient * scale)
          << "dx(" << i << ", " << k << ") is " << dx(i, k) << ", wanted " << dx_wanted(i, k);
    }
  }
  const Real moments = want.slopes.cwiseProduct(s).sum();
  const Real moments_scale = want.slopes.cwiseProduct(s).cwiseAbs().sum();
  const Real t = static_cast<Real>(temperature);
  EXPECT_LE(std::abs(static_cast<Real>(got.d_temperature) + moments / t),
            Tolerance<S>::gradient * moments_scale / t)
      << "d_temperature is " << got.d_temperature << ", wanted " << -moments / t;
}

}  // namespace support
