#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/losses/ko_leo.hpp>
#include <utility>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/plain_loss.hpp"

/// KoLeo against plain loops in long double.

namespace {

using namespace support;

template <class S>
class KoLeoOf : public testing::Test {};
TYPED_TEST_SUITE(KoLeoOf, Scalars, CaseNames);

/// -log of the distance to the nearest other row, for each row.
std::vector<Real> plain(const oracle::Matrix& x) {
  const oracle::Matrix u = directions(x);
  std::vector<Real> out;
  for (Index i = 0; i < x.rows(); ++i) {
    Real nearest = std::numeric_limits<Real>::infinity();
    for (Index j = 0; j < x.rows(); ++j) {
      if (j != i)
        nearest = std::min(nearest, oracle::distance(oracle::row(u, i), oracle::row(u, j)));
    }
    out.push_back(x.rows() > 1 ? -std::log(std::max(nearest, Real(0x1p-50L))) : 0);
  }
  return out;
}

template <class S>
void expect_plain(const Matrix<S>& x) {
  using nearfar::Reduction;
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    const nearfar::KoLeo<S> loss({.reduction = reduction});
    const Real share = reduction == Reduction::mean ? 1 / static_cast<Real>(x.rows()) : 1;
    const auto got = expect_plain_loss<S>(
        [&](const auto& rows, auto& g) {
          const auto result = loss.forward_backward(rows[0], g[0]);
          EXPECT_EQ(result.value, loss.forward(rows[0]).value);
          return result;
        },
        [&](const Sets& rows) {
          Real sum = 0;
          for (const Real v : plain(rows[0])) sum += share * v;
          return sum;
        },
        {x}, 1, share * static_cast<Real>(x.rows()), 1e-5L);
    if (reduction != Reduction::none) continue;
    const std::vector<Real> want = plain(oracle::exact(x));
    ASSERT_EQ(got.values.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_LE(std::abs(got.values[i] - want[i]), 1e-5) << i;
    }
  }
}

TYPED_TEST(KoLeoOf, EqualsTheFormula) {
  using S = TypeParam;
  for (const auto& [n, d] : {std::pair<Index, Index>(2, 3), {3, 2}, {8, 5}, {30, 17}, {420, 5}}) {
    SCOPED_TRACE(n);
    expect_plain<S>(random_rows<S>(n, d, 1));
  }
}

/// Pairs of rows whose cosines are 1 to the last digit of a float, also of rows that are wider than
/// four vectors, whose squares are added in float.
TYPED_TEST(KoLeoOf, RowsThatNearlyPointTheSameWay) {
  using S = TypeParam;
  for (const auto& [cols, size] : {std::pair<Index, double>(7, 1e-4), {200, 1e-6}}) {
    Matrix<S> x = random_rows<S>(10, cols, 2);
    const Matrix<S> noise = random_rows<S>(10, cols, 3) * static_cast<S>(size);
    for (Index i = 1; i < 10; i += 2) x.row(i) = x.row(i - 1) * S(2) + noise.row(i);
    Matrix<S> dx;
    const auto got = nearfar::KoLeo<S>().forward_backward(x, dx);
    Real sum = 0;
    for (const Real v : plain(oracle::exact(x))) sum += v / 10;
    EXPECT_LE(std::abs(got.value - sum), 1e-7 * sum);
    EXPECT_EQ(got.diagnostics.zero_distances, 0);
  }
}

/// Of two equally near rows, the first has the gradient.
TYPED_TEST(KoLeoOf, TiesGoToTheFirst) {
  using S = TypeParam;
  Matrix<S> x(3, 2);
  x << 1, 0, 0, 1, 0, -1;
  Matrix<S> dx;
  const nearfar::KoLeo<S> loss({.reduction = nearfar::Reduction::none});
  const std::vector<double> of_first = {1, 0, 0};
  loss.forward_backward(x, dx, {.upstream = of_first});
  EXPECT_NE(dx.row(1).norm(), 0);
  EXPECT_EQ(dx.row(2).norm(), 0);
}

TYPED_TEST(KoLeoOf, RowsThatCoincideCountAsTwoToTheMinusFifty) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(5, 4, 4);
  x.row(3) = x.row(1) * S(2);
  Matrix<S> dx;
  const nearfar::KoLeo<S> loss({.reduction = nearfar::Reduction::none});
  const auto got = loss.forward_backward(x, dx);
  EXPECT_NEAR(got.values[1], 50 * std::log(2.0), 1e-12);
  EXPECT_NEAR(got.values[3], 50 * std::log(2.0), 1e-12);
  EXPECT_EQ(got.diagnostics.zero_distances, 2);
  EXPECT_TRUE(dx.allFinite());
}

TYPED_TEST(KoLeoOf, ZeroRowsStayZero) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(4, 3, 5);
  x.row(2).setZero();
  Matrix<S> dx;
  const nearfar::KoLeo<S> loss({.reduction = nearfar::Reduction::none});
  const auto got = loss.forward_backward(x, dx);
  EXPECT_NEAR(got.values[2], 0, 1e-6);  // at distance 1 of all others
  EXPECT_EQ(dx.row(2), (Matrix<S>::Zero(1, 3)));
}

TYPED_TEST(KoLeoOf, ASingleRowHasNoLoss) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(1, 3, 6);
  Matrix<S> dx;
  const auto got = nearfar::KoLeo<S>().forward_backward(x, dx);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.diagnostics.anchors_without_negative, 1);
  EXPECT_EQ(dx, (Matrix<S>::Zero(1, 3)));
}

TEST(KoLeo, HasTheDefaultsOfItsPage) { expect_common_defaults<nearfar::KoLeoOptions>(); }

}  // namespace
