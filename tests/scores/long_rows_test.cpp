#include <gtest/gtest.h>

#include <limits>
#include <nearfar/kernels/cosine.hpp>
#include <nearfar/scores/paired.hpp>

/// Rows whose length overflows although their elements do not; and rows whose lengths are too small
/// for all digits.

namespace {

TEST(CosineOfLongRows, IsThatOfTheirDirections) {
  constexpr double most = std::numeric_limits<double>::max();
  nearfar::Matrix<double> x(3, 4);
  nearfar::Matrix<double> y(3, 4);
  x << most, most, most, most, 0, 0, most, -most, most / 2, most, 0, 0;
  y << most, most, most, most, 3, 4, 12, 5, 1, 2, 0, 0;
  const nearfar::Vector<double> s = nearfar::paired(x, y, nearfar::Cosine());
  EXPECT_NEAR(s(0), 1, 1e-15);
  EXPECT_NEAR(s(1), (12 - 5) / std::sqrt(2 * 194.0), 1e-15);
  EXPECT_NEAR(s(2), 1, 1e-15);

  // That of y equals that of any long row in this direction.
  nearfar::Matrix<double> dx;
  nearfar::Matrix<double> dy;
  nearfar::Matrix<double> wanted;
  const nearfar::Matrix<double> shorter = x / most;
  const nearfar::Vector<double> ones = nearfar::Vector<double>::Ones(3);
  nearfar::paired_backward(ones, x, y, dx, dy, nearfar::Cosine());
  nearfar::paired_backward(ones, shorter, y, nearfar::no_gradient, wanted, nearfar::Cosine());
  EXPECT_TRUE(dx.allFinite());
  EXPECT_LE((dy - wanted).cwiseAbs().maxCoeff(), 1e-15);
}

TEST(CosineOfShortRows, IsThatOfTheirDirections) {
  constexpr double least = std::numeric_limits<double>::denorm_min();
  nearfar::Matrix<double> x(3, 2);
  nearfar::Matrix<double> y(3, 2);
  x << least, -least, 3 * least, 4 * least, least, 0;
  y << 2, 5, 1, 0, 7 * least, 24 * least;
  const nearfar::Vector<double> s = nearfar::paired(x, y, nearfar::Cosine());
  EXPECT_NEAR(s(0), (2 - 5) / std::sqrt(2 * 29.0), 1e-15);
  EXPECT_NEAR(s(1), 0.6, 1e-15);
  EXPECT_NEAR(s(2), 0.28, 1e-15);
}

}  // namespace
