#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/gor.hpp>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/plain_loss.hpp"

/// Gor against plain loops over pairs in long double, and its options.

namespace {

using namespace support;

template <class S>
class GorOf : public testing::Test {};
TYPED_TEST_SUITE(GorOf, Scalars, CaseNames);

Real plain(const oracle::Matrix& x, const nearfar::GorOptions& o) {
  const Real n = static_cast<Real>(x.rows());
  if (x.rows() < 2) return 0;
  Real mean = 0;
  Real second = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index j = 0; j < x.rows(); ++j) {
      if (j == i) continue;
      const Real s = oracle::Cosine().score(oracle::row(x, i), oracle::row(x, j));
      mean += s / (n * (n - 1));
      second += s * s / (n * (n - 1));
    }
  }
  return static_cast<Real>(o.mean_weight) * mean * mean +
         static_cast<Real>(o.second_moment_weight) *
             std::max(Real(0), second - 1 / static_cast<Real>(x.cols()));
}

template <class S>
nearfar::Result expect_plain(const Matrix<S>& x, const nearfar::GorOptions& options) {
  const nearfar::Gor<S> loss(options);
  return expect_plain_loss<S>(
      [&](const auto& rows, auto& g) {
        const auto result = loss.forward_backward(rows[0], g[0]);
        EXPECT_EQ(result.value, loss.forward(rows[0]).value);
        return result;
      },
      [&](const Sets& rows) { return plain(rows[0], options); }, {x}, 1);
}

/// Fewer rows than columns, and more rows, for which sums run over columns.
TYPED_TEST(GorOf, EqualsTheFormula) {
  using S = TypeParam;
  for (const auto& [n, d] :
       {std::pair<Index, Index>(2, 3), {3, 3}, {8, 5}, {5, 8}, {30, 17}, {12, 90}, {420, 3}}) {
    SCOPED_TRACE(n);
    // Rows around one direction, so that neither moment is near that of random rows.
    const Matrix<S> x = random_rows<S>(n, d, 1).array() + S(0.5);
    expect_plain<S>(x, {});
    expect_plain<S>(x, {.mean_weight = 0.3, .second_moment_weight = 2});
    expect_plain<S>(x, {.mean_weight = 0});
  }
}

/// Orthogonal rows: the second moment is below 1/D, so the hinge and its gradient are 0.
TYPED_TEST(GorOf, BelowTheHinge) {
  using S = TypeParam;
  for (const Index n : {3, 5}) {
    Matrix<S> x = Matrix<S>::Identity(n, 4).array() + S(0.1);
    if (n > 4) x.row(4) << 1, -1, 1, -1;
    expect_plain<S>(x, {});
    Matrix<S> dx;
    EXPECT_EQ(nearfar::Gor<S>({.mean_weight = 0}).forward_backward(x, dx).value, 0);
    EXPECT_EQ(dx, (Matrix<S>::Zero(n, 4)));
  }
}

TYPED_TEST(GorOf, ZeroRowsHaveCosineZero) {
  using S = TypeParam;
  for (const Index d : {3, 12}) {
    Matrix<S> x = random_rows<S>(6, d, 2).array() + S(0.5);
    x.row(2).setZero();
    Matrix<S> dx;
    const double value = nearfar::Gor<S>().forward_backward(x, dx).value;
    const Real want = plain(oracle::exact(x), {});
    EXPECT_LE(std::abs(value - want), Tolerance<S>::value * want);
    EXPECT_EQ(dx.row(2), (Matrix<S>::Zero(1, d)));
  }
}

TYPED_TEST(GorOf, FewerThanTwoRowsHaveNoLoss) {
  using S = TypeParam;
  for (const Index n : {0, 1}) {
    const Matrix<S> x = random_rows<S>(n, 3, 3);
    Matrix<S> dx;
    EXPECT_EQ(nearfar::Gor<S>().forward_backward(x, dx).value, 0);
    EXPECT_EQ(dx, (Matrix<S>::Zero(n, 3)));
  }
}

TEST(Gor, RefusesNegativeWeights) {
  for (const double bad : {-1.0, not_a_number, infinite}) {
    EXPECT_THROW(nearfar::Gor<float>({.mean_weight = bad}), std::invalid_argument);
    EXPECT_THROW(nearfar::Gor<float>({.second_moment_weight = bad}), std::invalid_argument);
  }
}

TEST(Gor, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::GorOptions().mean_weight, 1);
  EXPECT_EQ(nearfar::GorOptions().second_moment_weight, 1);
}

}  // namespace
