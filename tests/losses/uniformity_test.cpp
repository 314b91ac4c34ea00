#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/uniformity.hpp>

#include "support/options.hpp"
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

/// Of which exp(-t d^2) is 0 in double for every pair.
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

TEST(Uniformity, RefusesAScaleThatIsNotPositive) {
  expect_must_be_positive("t", [](double v) { nearfar::Uniformity<float>({.t = v}); });
}

TEST(Uniformity, HasTheDefaultsOfItsPage) { EXPECT_EQ(nearfar::UniformityOptions().t, 2); }

}  // namespace
