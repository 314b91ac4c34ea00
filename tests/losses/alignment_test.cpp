#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/alignment.hpp>

#include "support/options.hpp"
#include "support/two_views.hpp"

/// Alignment against plain loops over pairs in long double, and its options.

namespace {

using namespace support;

TEST(Alignment, EqualsTheFormula) {
  for (const Index n : {2, 7, 400}) {
    const TwoViews v(n, 1);
    Real alignment = 0;
    for (Index i = 0; i < n; ++i) {
      alignment += std::pow(2 - 2 * v.s(i, i + n), Real(1.5) / 2) / static_cast<Real>(n);
    }
    expect_value(nearfar::Alignment<double>({.alpha = 1.5}).forward(v.a, v.b).value, alignment);
  }
}

TEST(Alignment, CountsPairsAtDistanceZero) {
  const Matrix<double> x = random_rows<double>(5, 17, 26);
  Matrix<double> y = random_rows<double>(5, 17, 27);
  y.row(1) = x.row(1);
  y.row(4) = x.row(4);
  Matrix<double> dx;
  Matrix<double> dy;
  const auto got = nearfar::Alignment<double>().forward_backward(x, y, dx, dy);
  EXPECT_EQ(got.diagnostics.anchors, 5);
  EXPECT_EQ(got.diagnostics.terms, 5);
  EXPECT_EQ(got.diagnostics.active_terms, 3);
  EXPECT_EQ(got.diagnostics.zero_distances, 2);
  EXPECT_EQ(got.diagnostics.smallest_score, 0);
  EXPECT_EQ(dx.row(1).norm(), 0);
  EXPECT_EQ(dy.row(4).norm(), 0);
}

TEST(Alignment, RefusesAPowerThatIsNotPositive) {
  expect_must_be_positive("alpha", [](double v) { nearfar::Alignment<float>({.alpha = v}); });
}

TEST(Alignment, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::AlignmentOptions().alpha, 2);
  expect_common_defaults<nearfar::AlignmentOptions>();
}

}  // namespace
