#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/losses/alignment.hpp>

#include "support/kernel_cases.hpp"
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

template <class S>
class AlignmentOf : public testing::Test {};
TYPED_TEST_SUITE(AlignmentOf, Scalars, CaseNames);

/// Differences down to the rounding errors of unit rows in float, also of rows that are wider than
/// four vectors, whose squares are added in float.
template <class S, Index cols>
void expect_differences() {
  constexpr bool is_float = sizeof(S) == sizeof(float);
  const Index n = 20;
  for (const double alpha : {2.0, 1.0}) {
    for (const double noise : {1.0, 1e-2, 1e-4, 1e-6}) {
      SCOPED_TRACE(noise);
      const Matrix<S> x = random_rows<S>(n, cols, 28);
      const Matrix<S> y = x * S(3) + random_rows<S>(n, cols, 29) * static_cast<S>(noise);
      const nearfar::Alignment<S> loss({.alpha = alpha, .reduction = nearfar::Reduction::none});
      Matrix<S> dx, dy;
      const auto got = loss.forward_backward(x, y, dx, dy);
      const Real allowed = is_float ? 1e-5 : 1e-15 / noise;
      for (Index i = 0; i < n; ++i) {
        const auto real_x = oracle::exact(x).row(i).eval();
        const auto real_y = oracle::exact(y).row(i).eval();
        const auto u = (real_x / real_x.norm()).eval();
        const auto v = (real_y / real_y.norm()).eval();
        const Real d = (u - v).norm();
        const Real want = std::pow(d, static_cast<Real>(alpha));
        EXPECT_LE(std::abs(got.values[static_cast<std::size_t>(i)] - want), allowed * want) << i;
        const auto expect_row = [&](const Matrix<S>& row, const auto& own, const auto& other,
                                    Real length) {
          const auto pull = (static_cast<Real>(alpha) * want / (d * d) * (own - other)).eval();
          const auto along = ((pull - pull.dot(own) * own) / length).eval();
          EXPECT_LE((oracle::exact(row).row(0) - along).norm(), allowed * along.norm()) << i;
        };
        expect_row(dx.row(i), u, v, real_x.norm());
        expect_row(dy.row(i), v, u, real_y.norm());
      }
    }
  }
}

TYPED_TEST(AlignmentOf, RowsThatNearlyPointTheSameWay) {
  expect_differences<TypeParam, 17>();
  expect_differences<TypeParam, 200>();
}

/// Their distance consists of rounding errors, and must not have a gradient.
TYPED_TEST(AlignmentOf, MultiplesOfTheSameRow) {
  using S = TypeParam;
  for (const Index cols : {3, 200}) {
    Matrix<S> x(1, cols), y, dx, dy;
    for (Index k = 0; k < cols; ++k) x(0, k) = static_cast<S>(1 + 37 * k % 41);
    for (const int multiple : {1, 2, 3, 5, 7, 11}) {
      y = x * static_cast<S>(multiple);
      const auto got = nearfar::Alignment<S>({.alpha = 1}).forward_backward(x, y, dx, dy);
      if constexpr (sizeof(S) == sizeof(float)) {
        EXPECT_EQ(got.value, 0);
        EXPECT_EQ(got.diagnostics.zero_distances, 1);
        EXPECT_EQ(dx, Matrix<S>::Zero(1, cols));
        EXPECT_EQ(dy, Matrix<S>::Zero(1, cols));
      } else {
        EXPECT_LE(got.value, 4 * std::numeric_limits<S>::epsilon());
      }
    }
  }
}

TEST(Alignment, RefusesAPowerThatIsNotPositive) {
  expect_must_be_positive("alpha", [](double v) { nearfar::Alignment<float>({.alpha = v}); });
}

TEST(Alignment, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::AlignmentOptions().alpha, 2);
  expect_common_defaults<nearfar::AlignmentOptions>();
}

}  // namespace
