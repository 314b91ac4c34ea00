#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/nt_xent.hpp>

#include "support/options.hpp"
#include "support/two_views.hpp"

/// NT-Xent against plain loops over two views in long double, and its options.

namespace {

using namespace support;

TEST(NtXent, EqualsTheFormulaWithAndWithoutThePositiveInTheDenominator) {
  for (const Index n : {2, 7, 33, 200}) {
    const TwoViews v(n, 0.25);
    Real with = 0;
    Real without = 0;
    for (Index i = 0; i < 2 * n; ++i) {
      Real negatives = 0;
      for (Index j = 0; j < 2 * n; ++j) {
        if (v.negative(i, j)) negatives += std::exp(v.s(i, j));
      }
      const Real own = std::exp(v.s(i, v.partner(i)));
      with -= std::log(own / (own + negatives)) / static_cast<Real>(2 * n);
      without -= std::log(own / negatives) / static_cast<Real>(2 * n);
    }
    expect_value(nearfar::NtXent<double>({.temperature = 0.25}).forward(v.a, v.b).value, with);
    expect_value(nearfar::NtXent<double>(
                     {.temperature = 0.25, .denominator = nearfar::Denominator::negatives_only})
                     .forward(v.a, v.b)
                     .value,
                 without);
  }
}

TEST(NtXent, GradientsWithoutAReductionAreThoseOfTheSum) {
  expect_gradients_of_the_sum<nearfar::NtXent<double>>(nearfar::NtXentOptions());
}

TEST(NtXent, OfEqualScoresIsTheLogarithmOfTheNumberOfTerms) {
  const Matrix<double> x = Matrix<double>::Ones(12, 3);
  EXPECT_NEAR(nearfar::NtXent<double>().forward(x, x).value, std::log(23.0), 1e-12);
}

TEST(NtXent, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature",
                          [](double v) { nearfar::NtXent<float>({.temperature = v}); });
}

TEST(NtXent, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::NtXentOptions().temperature, 0.5);
  EXPECT_EQ(nearfar::NtXentOptions().denominator, nearfar::Denominator::with_positive);
  expect_common_defaults<nearfar::NtXentOptions>();
}

}  // namespace
