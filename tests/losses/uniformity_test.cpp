#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/losses/uniformity.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/tolerance.hpp"
#include "support/two_views.hpp"

/// Uniformity against plain loops over pairs in long double, and its options.

namespace {

using namespace support;

TEST(Uniformity, EqualsTheFormula) {
  for (const Index n : {2, 7, 400}) {
    const TwoViews v(n, 1);
    Real potential = 0;
    for (Index i = 0; i < n; ++i) {
      for (Index j = i + 1; j < n; ++j) potential += std::exp(-2 * (2 - 2 * v.s(i, j)));
    }
    expect_value(nearfar::Uniformity<double>().forward(v.a).value,
                 std::log(potential / static_cast<Real>(n * (n - 1) / 2)));
  }
}

/// Gaussians for which exp(-t d^2) is 0 in double for every pair.
TEST(Uniformity, NarrowGaussiansDoNotUnderflow) {
  for (const double t : {130.0, 1000.0}) {
    const Matrix<double> x = random_rows<double>(7, 17, 25);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), oracle::exact(x), oracle::exact(x));
    Real potential = 0;
    for (Index i = 0; i < 7; ++i) {
      for (Index j = i + 1; j < 7; ++j) {
        potential += std::exp(-static_cast<Real>(t) * (2 - 2 * s(i, j))) / 21;
      }
    }
    const auto got = nearfar::Uniformity<double>({.t = t}).forward(x);
    expect_value(got.value, std::log(potential));
    EXPECT_EQ(got.diagnostics.terms, 21);
    Matrix<double> dx;
    nearfar::Uniformity<double>({.t = t}).forward_backward(x, dx);
    EXPECT_TRUE(dx.allFinite());
    EXPECT_GT(dx.norm(), 0);
  }
  for (const Index n : {0, 1}) {
    const Matrix<double> few = random_rows<double>(n, 17, 25);
    Matrix<double> d_few;
    EXPECT_EQ(nearfar::Uniformity<double>({.t = 1000}).forward_backward(few, d_few).value, 0);
    EXPECT_EQ(d_few, Matrix<double>::Zero(n, 17));
  }
}

/// The loss of rows by plain loops over pairs, with the differences of their directions: a zero row
/// has squared distance 2 to all others.
struct Plain {
  Real value = 0;
  oracle::Matrix gradient;
  Real nearest = std::numeric_limits<Real>::infinity();  ///< squared distance
  Real farthest = 0;

  Plain(const oracle::Matrix& x, Real t) : gradient(oracle::Matrix::Zero(x.rows(), x.cols())) {
    const Index n = x.rows();
    oracle::Matrix u = x;
    std::vector<Real> length;
    for (Index i = 0; i < n; ++i) {
      length.push_back(oracle::length(oracle::row(x, i)));
      if (length.back() > 0) u.row(i) /= length.back();
    }
    const auto has_direction = [&](Index i) { return length[static_cast<std::size_t>(i)] > 0; };
    const auto squared = [&](Index i, Index j) {
      return has_direction(i) && has_direction(j) ? (u.row(i) - u.row(j)).squaredNorm() : Real(2);
    };
    for (Index i = 0; i < n; ++i) {
      for (Index j = i + 1; j < n; ++j) {
        nearest = std::min(nearest, squared(i, j));
        farthest = std::max(farthest, squared(i, j));
      }
    }
    Real less_one = 0;  // of the mean potential relative to the nearest pair, minus 1
    for (Index i = 0; i < n; ++i) {
      for (Index j = i + 1; j < n; ++j) {
        const Real exponent = -t * (squared(i, j) - nearest);
        less_one += std::expm1(exponent) / static_cast<Real>(n * (n - 1) / 2);
        if (!has_direction(i) || !has_direction(j)) continue;
        const auto pull = (-2 * t * std::exp(exponent) * (u.row(i) - u.row(j))).eval();
        gradient.row(i) += pull;
        gradient.row(j) -= pull;
      }
    }
    value = std::log1p(less_one) - t * nearest;
    gradient /= (1 + less_one) * static_cast<Real>(n * (n - 1) / 2);
    for (Index i = 0; i < n; ++i) {
      if (!has_direction(i)) continue;
      const Real along = gradient.row(i).dot(u.row(i));
      gradient.row(i) =
          ((gradient.row(i) - along * u.row(i)) / length[static_cast<std::size_t>(i)]).eval();
    }
  }
};

/// `relative`: tolerance of the value and of each row's gradient.
template <class S>
void expect_plain(const Matrix<S>& x, double t, double relative) {
  const Plain want(oracle::exact(x), static_cast<Real>(t));
  const nearfar::Uniformity<S> loss({.t = t});
  Matrix<S> dx;
  const auto got = loss.forward_backward(x, dx);
  EXPECT_EQ(got.value, loss.forward(x).value);
  EXPECT_LE(std::abs(got.value - want.value), relative * std::abs(want.value));
  for (Index i = 0; i < x.rows(); ++i) {
    EXPECT_LE((oracle::exact(dx).row(i) - want.gradient.row(i)).norm(),
              relative * want.gradient.row(i).norm())
        << i;
  }
  const Real size = 4 * std::numeric_limits<S>::epsilon();
  EXPECT_LE(std::abs(got.diagnostics.smallest_score - (1 - want.farthest / 2)), size);
  EXPECT_LE(std::abs(got.diagnostics.largest_score - (1 - want.nearest / 2)), size);
  EXPECT_EQ(got.diagnostics.zero_distances, 0);
}

template <class S>
class UniformityOf : public testing::Test {};
TYPED_TEST_SUITE(UniformityOf, Scalars, CaseNames);

/// Cosines of these are 1 to the last digit of a float, or nearly. Elements of unit rows differ by
/// `noise`, of which a double has 1e-16 / noise; floats are centred in double.
TYPED_TEST(UniformityOf, RowsThatNearlyAllPointTheSameWay) {
  using S = TypeParam;
  constexpr bool is_float = sizeof(S) == sizeof(float);
  for (const double noise : {1e-2, 1e-4, 1e-6}) {
    for (const auto& [n, cols] : {std::pair<Index, Index>(2, 32), {3, 32}, {100, 32}, {3, 200}}) {
      SCOPED_TRACE(noise);
      const Matrix<S> x =
          (uniform_matrix<S>(n, cols, 31) * static_cast<S>(noise)).array() + static_cast<S>(1);
      expect_plain(x, 2, is_float ? 1e-5 : 1e-15 / noise);
    }
  }
}

/// Each row is next to another and far from the rest, so that only such pairs count.
TYPED_TEST(UniformityOf, PairsThatLieNearEachOther) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(60, 17, 32);
  const Matrix<S> noise = random_rows<S>(60, 17, 33);
  for (Index i = 1; i < 60; i += 2) x.row(i) = x.row(i - 1) + noise.row(i) * S(0.01);
  for (const double t : {100.0, 10000.0}) {
    expect_plain(x, t, sizeof(S) == sizeof(float) ? 1e-4 : 1e-11);
  }
}

/// Zero rows at the ends of a batch, among others, and with one other row or none.
TYPED_TEST(UniformityOf, ZeroRows) {
  using S = TypeParam;
  const double narrow = sizeof(S) == sizeof(float) ? 30 : 200;
  for (const double t : {2.0, narrow}) {
    for (const Index others : {0, 1, 2, 7}) {
      Matrix<S> x = Matrix<S>::Zero(others + 4, 17);
      for (Index k = 0; k < others; ++k) {
        x.row(1 + k + (k > 2 ? 1 : 0)) = random_rows<S>(others, 17, 34).row(k);
      }
      SCOPED_TRACE(std::to_string(others) + " others, t " + std::to_string(t));
      expect_plain(x, t, 10 * Tolerance<S>::value);
      Matrix<S> dx = Matrix<S>::Ones(x.rows(), x.cols());
      nearfar::Uniformity<S>({.t = t}).forward_backward(x, nearfar::accumulate(dx));
      EXPECT_EQ(dx.row(0), Matrix<S>::Ones(1, 17));
      EXPECT_EQ(dx.row(x.rows() - 1), Matrix<S>::Ones(1, 17));
    }
  }
}

/// The value is at most 0, which it is if all rows are equal.
TYPED_TEST(UniformityOf, RowsThatAreTheSame) {
  using S = TypeParam;
  Matrix<S> x(40, 17);
  for (Index i = 0; i < 40; ++i) {
    // Scaled by powers of two, so that their directions have the same bits.
    x.row(i) = std::ldexp(S(1), static_cast<int>(i) - 20) * random_rows<S>(1, 17, 35);
  }
  for (const double t : {2.0, 1000.0}) {
    Matrix<S> dx;
    EXPECT_EQ(nearfar::Uniformity<S>({.t = t}).forward_backward(x, dx).value, 0);
    EXPECT_EQ(dx, Matrix<S>::Zero(40, 17));
  }
}

TEST(Uniformity, RefusesAScaleThatIsNotPositive) {
  expect_must_be_positive("t", [](double v) { nearfar::Uniformity<float>({.t = v}); });
}

TEST(Uniformity, HasTheDefaultsOfItsPage) { EXPECT_EQ(nearfar::UniformityOptions().t, 2); }

}  // namespace
