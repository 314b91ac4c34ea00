#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/losses/mutual_information.hpp>
#include <stdexcept>

#include "support/far_distances.hpp"
#include "support/options.hpp"
#include "support/two_views.hpp"

/// Bounds on mutual information against plain loops over pairs in long double and against the true
/// values, and their options.

namespace {

using namespace support;

TEST(MutualInformation, EqualsTheFormulas) {
  using Bound = nearfar::MutualInformationBound;
  for (const Index n : {2, 7, 400}) {
    const TwoViews v(n, 1);
    const oracle::Matrix f =
        oracle::pairwise(oracle::InnerProduct(), oracle::exact(v.a), oracle::exact(v.b)) /
        Real(0.5);
    const auto count = static_cast<Real>(n);
    Real joint = 0;
    Real info_nce = std::log(count);
    Real others = 0;
    Real all = 0;
    for (Index i = 0; i < n; ++i) {
      joint += f(i, i) / count;
      Real sum = 0;
      for (Index j = 0; j < n; ++j) {
        sum += std::exp(f(i, j));
        all += f(i, j);
        if (i != j) others += std::exp(f(i, j)) / (count * (count - 1));
      }
      info_nce += (f(i, i) - std::log(sum)) / count;
    }
    const auto run = [&](Bound bound) {
      return nearfar::MutualInformation<double>({.bound = bound, .temperature = 0.5})
          .forward(v.a, v.b);
    };
    expect_value(run(Bound::info_nce).value, info_nce);
    expect_value(run(Bound::info_nce).ceiling, std::log(count));
    expect_value(run(Bound::nwj).value, joint - others / std::exp(Real(1)));
    expect_value(run(Bound::donsker_varadhan).value, joint - std::log(others));
    expect_value(run(Bound::club).value, joint - all / (count * count));
  }
}

TEST(MutualInformation, DistancesFarAboveTheTemperatureKeepTheirDifferences) {
  const FarDistances far;
  const nearfar::MutualInformation<double, nearfar::Euclidean> bound(
      {.bound = nearfar::MutualInformationBound::info_nce, .temperature = 1});
  const Real got = bound.forward(far.x, far.y).value;
  const Real want = std::log(Real(4)) - far.info_nce;
  EXPECT_LE(std::abs(got - want), Real(1e-10)) << got << ", wanted " << want;
}

TEST(MutualInformation, OneRowHasNoNegativePair) {
  const Matrix<double> x = random_rows<double>(1, 3, 1);
  using Bound = nearfar::MutualInformationBound;
  for (const Bound bound : {Bound::nwj, Bound::donsker_varadhan}) {
    EXPECT_THROW(nearfar::MutualInformation<double>({.bound = bound}).forward(x, x),
                 std::invalid_argument);
  }
  for (const Bound bound : {Bound::info_nce, Bound::club}) {
    const auto r = nearfar::MutualInformation<double>({.bound = bound}).forward(x, x);
    EXPECT_EQ(r.diagnostics.anchors_without_negative, 1);
    EXPECT_EQ(r.diagnostics.terms, 1);
  }
  const Matrix<double> two = random_rows<double>(2, 3, 1);
  EXPECT_EQ(nearfar::MutualInformation<double>({.bound = Bound::nwj})
                .forward(two, two)
                .diagnostics.anchors_without_negative,
            0);
}

TEST(MutualInformation, OfCorrelatedGaussiansIsBelowTheTruth) {
  // rho = 0.8 in 4 dimensions: the mutual information is -4/2 log(1 - rho^2) = 2.04 nats; the
  // critic is log p(x | y), the log density ratio up to a function of x alone, which cancels in
  // InfoNCE.
  const double rho = 0.8;
  Random random(9);
  const auto normal = [&] {
    const double u = (random.uniform() + 1) / 2 + 0x1p-60;
    return std::sqrt(-2 * std::log(u)) * std::cos(3.14159265358979 * random.uniform());
  };
  const Index n = 2000;
  Matrix<double> x(n, 4);
  Matrix<double> y(n, 4);
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < 4; ++k) {
      x(i, k) = normal();
      y(i, k) = rho * x(i, k) + std::sqrt(1 - rho * rho) * normal();
    }
  }
  const double truth = -2 * std::log(1 - rho * rho);
  const auto bound = nearfar::MutualInformation<double, nearfar::SquaredEuclidean>(
                         {.temperature = 2 * (1 - rho * rho)})
                         .forward(x, Matrix<double>(rho * y));
  EXPECT_NEAR(bound.value, truth, 0.15);
  EXPECT_LT(bound.value, bound.ceiling);
}

TEST(MutualInformation, OfNoRowsIsZeroAndHasNoCeiling) {
  const Matrix<double> none(0, 4);
  const auto result = nearfar::MutualInformation<double>().forward(none, none);
  EXPECT_EQ(result.value, 0);
  EXPECT_EQ(result.ceiling, std::numeric_limits<double>::infinity());
}

TEST(MutualInformation, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature",
                          [](double v) { nearfar::MutualInformation<float>({.temperature = v}); });
}

TEST(MutualInformation, HasTheDefaultsOfItsPage) {
  const nearfar::MutualInformationOptions options;
  EXPECT_EQ(options.bound, nearfar::MutualInformationBound::info_nce);
  EXPECT_EQ(options.temperature, 1);
}

}  // namespace
