#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/vic_reg.hpp>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/plain_loss.hpp"

/// VicReg against plain loops in long double, and its options.

namespace {

using namespace support;

template <class S>
class VicRegOf : public testing::Test {};
TYPED_TEST_SUITE(VicRegOf, Scalars, CaseNames);

struct Spread {
  Real variance = 0;
  Real covariance = 0;
};

Spread spread_of(const oracle::Matrix& x, Real epsilon) {
  const Real n = static_cast<Real>(x.rows());
  const Real d = static_cast<Real>(x.cols());
  oracle::Matrix z = x;
  for (Index k = 0; k < x.cols(); ++k) {
    Real mean = 0;
    for (Index i = 0; i < x.rows(); ++i) mean += x(i, k) / n;
    for (Index i = 0; i < x.rows(); ++i) z(i, k) -= mean;
  }
  Spread out;
  for (Index k = 0; k < x.cols(); ++k) {
    for (Index e = 0; e < x.cols(); ++e) {
      Real sum = 0;
      for (Index i = 0; i < x.rows(); ++i) sum += z(i, k) * z(i, e) / (n - 1);
      if (k == e) {
        out.variance += std::max(Real(0), 1 - std::sqrt(sum + epsilon)) / d;
      } else {
        out.covariance += sum * sum / d;
      }
    }
  }
  return out;
}

Real plain(const Sets& x, const nearfar::VicRegOptions& o) {
  const Real elements = static_cast<Real>(x[0].size());
  Real distance = 0;
  for (Index k = 0; k < x[0].size(); ++k) {
    const Real off = x[0].data()[k] - x[1].data()[k];
    distance += off * off / elements;
  }
  const Spread a = spread_of(x[0], static_cast<Real>(o.epsilon));
  const Spread b = spread_of(x[1], static_cast<Real>(o.epsilon));
  return static_cast<Real>(o.invariance) * distance +
         static_cast<Real>(o.variance) * (a.variance + b.variance) / 2 +
         static_cast<Real>(o.covariance) * (a.covariance + b.covariance);
}

template <class S>
nearfar::Result expect_plain(const std::vector<Matrix<S>>& x,
                             const nearfar::VicRegOptions& options) {
  const nearfar::VicReg<S> loss(options);
  return expect_plain_loss<S>(
      [&](const auto& rows, auto& g) {
        return loss.forward_backward(rows[0], rows[1], g[0], g[1]);
      },
      [&](const Sets& rows) { return plain(rows, options); }, x, 2);
}

/// Columns with deviations on both sides of 1.
TYPED_TEST(VicRegOf, EqualsTheFormula) {
  using S = TypeParam;
  for (const auto& [n, d] : {std::pair<Index, Index>(2, 3), {3, 1}, {8, 5}, {30, 17}, {400, 7}}) {
    SCOPED_TRACE(n);
    Matrix<S> x = uniform_matrix<S>(n, d, 1);
    Matrix<S> y = uniform_matrix<S>(n, d, 2);
    for (Index k = 0; k < d; k += 2) x.col(k) *= S(5);
    expect_plain<S>({x, y}, {});
    expect_plain<S>({x, y}, {.invariance = 1, .variance = 0, .covariance = 2});
    expect_plain<S>({x, y}, {.invariance = 0, .variance = 3, .covariance = 0, .epsilon = 0.1});
    expect_plain<S>({x, y}, {.invariance = 0, .variance = 0, .covariance = 3});
  }
}

TYPED_TEST(VicRegOf, ManyColumns) {
  using S = TypeParam;
  const Matrix<S> x = uniform_matrix<S>(9, 131, 3);
  const Matrix<S> y = uniform_matrix<S>(9, 131, 4);
  expect_plain<S>({x, y}, {});
}

TYPED_TEST(VicRegOf, ColumnsOfEqualElements) {
  using S = TypeParam;
  Matrix<S> x = uniform_matrix<S>(12, 4, 7);
  x.col(2).setConstant(S(0.3));
  Matrix<S> dx, dy;
  const nearfar::VicReg<S> loss({.invariance = 0, .variance = 4, .covariance = 0, .epsilon = 0});
  const double value = loss.forward_backward(x, x, dx, dy).value;
  EXPECT_EQ(dx.col(2), (Matrix<S>::Zero(12, 1)));
  EXPECT_TRUE(dx.allFinite());
  EXPECT_GE(value, 1);  // a quarter of the columns has hinge 1
}

TYPED_TEST(VicRegOf, OneRowIsRefused) {
  using S = TypeParam;
  const Matrix<S> x = uniform_matrix<S>(1, 4, 7);
  EXPECT_THROW(nearfar::VicReg<S>().forward(x, x), std::invalid_argument);
}

TEST(VicReg, RefusesNegativeNumbers) {
  for (const double bad : {-1.0, not_a_number, infinite}) {
    EXPECT_THROW(nearfar::VicReg<float>({.invariance = bad}), std::invalid_argument);
    EXPECT_THROW(nearfar::VicReg<float>({.variance = bad}), std::invalid_argument);
    EXPECT_THROW(nearfar::VicReg<float>({.covariance = bad}), std::invalid_argument);
    EXPECT_THROW(nearfar::VicReg<float>({.epsilon = bad}), std::invalid_argument);
  }
}

TEST(VicReg, HasTheDefaultsOfItsPage) {
  const nearfar::VicRegOptions options;
  EXPECT_EQ(options.invariance, 25);
  EXPECT_EQ(options.variance, 25);
  EXPECT_EQ(options.covariance, 1);
  EXPECT_EQ(options.epsilon, 1e-4);
}

}  // namespace
