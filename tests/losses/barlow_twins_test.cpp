#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/barlow_twins.hpp>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/plain_loss.hpp"

/// BarlowTwins against plain loops in long double, and its options.

namespace {

using namespace support;

template <class S>
class BarlowTwinsOf : public testing::Test {};
TYPED_TEST_SUITE(BarlowTwinsOf, Scalars, CaseNames);

/// Columns less their mean, over sqrt(variance + epsilon).
oracle::Matrix standardised(const oracle::Matrix& x, Real epsilon) {
  oracle::Matrix out = x;
  const Real n = static_cast<Real>(x.rows());
  for (Index k = 0; k < x.cols(); ++k) {
    Real mean = 0;
    Real variance = 0;
    for (Index i = 0; i < x.rows(); ++i) mean += x(i, k) / n;
    for (Index i = 0; i < x.rows(); ++i) variance += (x(i, k) - mean) * (x(i, k) - mean) / n;
    for (Index i = 0; i < x.rows(); ++i)
      out(i, k) = (x(i, k) - mean) / std::sqrt(variance + epsilon);
  }
  return out;
}

Real plain(const Sets& x, Real lambda, Real epsilon) {
  const oracle::Matrix z = standardised(x[0], epsilon);
  const oracle::Matrix y = standardised(x[1], epsilon);
  Real sum = 0;
  for (Index d = 0; d < z.cols(); ++d) {
    for (Index e = 0; e < z.cols(); ++e) {
      Real c = 0;
      for (Index i = 0; i < z.rows(); ++i) c += z(i, d) * y(i, e) / static_cast<Real>(z.rows());
      sum += d == e ? (c - 1) * (c - 1) : lambda * c * c;
    }
  }
  return sum;
}

template <class S>
nearfar::Result expect_plain(const std::vector<Matrix<S>>& x,
                             const nearfar::BarlowTwinsOptions& options) {
  const nearfar::BarlowTwins<S> loss(options);
  return expect_plain_loss<S>(
      [&](const auto& rows, auto& g) {
        return loss.forward_backward(rows[0], rows[1], g[0], g[1]);
      },
      [&](const Sets& rows) {
        return plain(rows, static_cast<Real>(options.lambda), static_cast<Real>(options.epsilon));
      },
      x, 2);
}

TYPED_TEST(BarlowTwinsOf, EqualsTheFormula) {
  using S = TypeParam;
  for (const auto& [n, d] : {std::pair<Index, Index>(2, 3), {3, 1}, {8, 5}, {30, 17}, {400, 7}}) {
    for (const double lambda : {0.005, 0.0, 1.5}) {
      SCOPED_TRACE(n);
      Matrix<S> x = random_rows<S>(n, d, 1);
      Matrix<S> y = x * S(0.5) + random_rows<S>(n, d, 2);
      expect_plain<S>({x, y}, {.lambda = lambda, .epsilon = 0.01});
    }
  }
}

/// More columns than a task has rows, and than blocks and panels are wide.
TYPED_TEST(BarlowTwinsOf, ManyColumns) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(9, 131, 3) * S(3);
  Matrix<S> y = x + random_rows<S>(9, 131, 4);
  expect_plain<S>({x, y}, {});
}

TYPED_TEST(BarlowTwinsOf, ColumnsFarFromZero) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(12, 4, 5).array() + S(100);
  Matrix<S> y = random_rows<S>(12, 4, 6).array() - S(100);
  expect_plain<S>({x, y}, {});
}

/// A column of equal elements has no correlation, for any epsilon.
TYPED_TEST(BarlowTwinsOf, ColumnsOfEqualElements) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(12, 4, 7);
  Matrix<S> y = random_rows<S>(12, 4, 8);
  x.col(2).setConstant(S(0.3));
  for (const double epsilon : {1e-5, 0.0}) {
    Matrix<S> dx, dy;
    const nearfar::BarlowTwins<S> loss({.lambda = 1, .epsilon = epsilon});
    const double value = loss.forward_backward(x, y, dx, dy).value;
    EXPECT_EQ(dx.col(2), (Matrix<S>::Zero(12, 1)));
    EXPECT_TRUE(dx.allFinite() && dy.allFinite());
    Matrix<S> others_x(12, 3), others_y(12, 3);
    others_x << x.col(0), x.col(1), x.col(3);
    others_y << y.col(0), y.col(1), y.col(3);
    double cross = 0;  // of the view's column with the others
    const nearfar::BarlowTwins<S> without({.lambda = 1, .epsilon = epsilon});
    const double rest = without.forward(others_x, others_y).value;
    cross = value - rest - 1;
    EXPECT_GE(cross, 0);
    EXPECT_LT(cross, 3);
  }
}

TYPED_TEST(BarlowTwinsOf, OneRowHasNoCorrelations) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(1, 5, 9);
  Matrix<S> dx, dy;
  EXPECT_EQ(nearfar::BarlowTwins<S>().forward_backward(x, x, dx, dy).value, 5);
  EXPECT_EQ(dx, (Matrix<S>::Zero(1, 5)));
}

TYPED_TEST(BarlowTwinsOf, ViewsThatAreTheSameHaveNoLossOnTheDiagonal) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(40, 5, 10);
  Matrix<S> dx, dy;
  const auto got =
      nearfar::BarlowTwins<S>({.lambda = 0, .epsilon = 0}).forward_backward(x, x, dx, dy);
  EXPECT_LE(got.value, 1e-10);
  EXPECT_EQ(got.diagnostics.anchors, 40);
  EXPECT_EQ(got.diagnostics.terms, 25);
}

TEST(BarlowTwins, RefusesNegativeNumbers) {
  for (const double bad : {-1.0, not_a_number, infinite}) {
    EXPECT_THROW(nearfar::BarlowTwins<float>({.lambda = bad}), std::invalid_argument);
    EXPECT_THROW(nearfar::BarlowTwins<float>({.epsilon = bad}), std::invalid_argument);
  }
}

TEST(BarlowTwins, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::BarlowTwinsOptions().lambda, 0.005);
  EXPECT_EQ(nearfar::BarlowTwinsOptions().epsilon, 1e-5);
}

}  // namespace
