#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/losses/hard_negative.hpp>

#include "support/options.hpp"
#include "support/two_views.hpp"

/// The loss of hard and debiased negatives against plain loops over two views in long double, and
/// its options.

namespace {

using namespace support;
using nearfar::Reduction;

constexpr double same = 1e-12;

TEST(HardNegative, EqualsTheFormula) {
  for (const Index n : {2, 7, 200}) {
    for (const auto& [prior, beta] :
         {std::pair(0.0, 0.0), std::pair(0.1, 1.0), std::pair(0.1, 0.0), std::pair(0.6, 2.0)}) {
      const Real tau = 0.25;
      const TwoViews v(n, tau);
      // Every third sample has a copy, which its id leaves out.
      std::vector<Index> ids;
      for (Index i = 0; i < n; ++i) ids.push_back(i % 3 == 2 ? i - 1 : i);
      for (const bool with_ids : {false, true}) {
        const auto counts = [&](Index i, Index j) {
          return v.negative(i, j) && !(with_ids && ids[static_cast<std::size_t>(i % n)] ==
                                                       ids[static_cast<std::size_t>(j % n)]);
        };
        Real want = 0;
        for (Index i = 0; i < 2 * n; ++i) {
          Real hardened = 0;
          Real weights = 0;
          Real count = 0;
          for (Index j = 0; j < 2 * n; ++j) {
            if (!counts(i, j)) continue;
            ++count;
            hardened += std::exp((1 + Real(beta)) * v.s(i, j));
            weights += std::exp(Real(beta) * v.s(i, j));
          }
          const Real own = std::exp(v.s(i, v.partner(i)));
          const Real g =
              std::max((count * hardened / weights - count * Real(prior) * own) / (1 - Real(prior)),
                       count * std::exp(-1 / tau));
          want -= std::log(own / (own + g)) / static_cast<Real>(2 * n);
        }
        const nearfar::HardNegative<double> loss(
            {.temperature = 0.25, .positive_prior = prior, .concentration = beta});
        const auto got =
            with_ids ? loss.forward(v.a, v.b, nearfar::Targets().ids(ids)) : loss.forward(v.a, v.b);
        expect_value(got.value, want);
      }
    }
  }
}

/// Two samples whose views agree, and two whose views point apart: losses from 1e-174 to 1000.
TEST(HardNegative, SharpTemperaturesKeepTheirDigits) {
  for (const double tau : {0.02, 0.002}) {
    for (const double side : {1.0, -1.0}) {
      SCOPED_TRACE(testing::Message() << "temperature " << tau << ", side " << side);
      const Matrix<double> a = random_rows<double>(2, 17, 23);
      const Matrix<double> b = side * a + 0.05 * random_rows<double>(2, 17, 24);
      oracle::Matrix all(4, 17);
      all << oracle::exact(a), oracle::exact(b);
      const oracle::Matrix s =
          oracle::pairwise(oracle::Cosine(), all, all) / static_cast<Real>(tau);
      Real want = 0;
      for (Index i = 0; i < 4; ++i) {
        const Index partner = (i + 2) % 4;
        Real hardened = 0;
        Real weights = 0;
        for (Index j = 0; j < 4; ++j) {
          if (j == i || j == partner) continue;
          hardened += std::exp(2 * s(i, j));
          weights += std::exp(s(i, j));
        }
        const Real g = std::max(2 * hardened / weights, 2 * std::exp(-1 / static_cast<Real>(tau)));
        want += std::log1p(g / std::exp(s(i, partner))) / 4;
      }
      const nearfar::HardNegative<double> loss({.temperature = tau, .positive_prior = 0});
      const Real got = loss.forward(a, b).value;
      EXPECT_GT(got, 0);
      EXPECT_LE(std::abs(got - want), Real(1e-11) * want) << got << ", wanted " << want;
    }
  }
}

/// Lengths have no influence. With many rows, some positives are the first keys of a tile.
TEST(HardNegative, GradientsAreAtRightAnglesToTheirRows) {
  const Matrix<double> a = random_rows<double>(400, 4, 25);
  const Matrix<double> b = random_rows<double>(400, 4, 26);
  Matrix<double> da, db;
  nearfar::HardNegative<double>().forward_backward(a, b, da, db);
  EXPECT_GT(da.rowwise().norm().minCoeff(), 0);
  EXPECT_GT(db.rowwise().norm().minCoeff(), 0);
  EXPECT_LE(a.cwiseProduct(da).rowwise().sum().cwiseAbs().maxCoeff(), same);
  EXPECT_LE(b.cwiseProduct(db).rowwise().sum().cwiseAbs().maxCoeff(), same);
}

/// Every cosine is -1/3: exponentials relative to a cosine of 1 would underflow.
TEST(HardNegative, OfRowsAsFarApartAsTheyCanBeIsFinite) {
  Matrix<double> a(2, 3), b(2, 3), da, db;
  a << 1, 1, 1, 1, -1, -1;
  b << -1, 1, -1, -1, -1, 1;
  const nearfar::HardNegative<double> loss({.temperature = 1e-3});
  EXPECT_NEAR(loss.forward_backward(a, b, da, db).value, std::log(3.0), 1e-10);
  EXPECT_TRUE(da.allFinite() && db.allFinite());
}

TEST(HardNegative, CountsTermsAndAnchorsWithoutANegative) {
  for (const Index n : {Index(1), Index(4)}) {
    const TwoViews v(n, 1);
    const auto r = nearfar::HardNegative<double>({.reduction = Reduction::none}).forward(v.a, v.b);
    const auto active =
        std::count_if(r.values.begin(), r.values.end(), [](double x) { return x > 0; });
    EXPECT_EQ(r.diagnostics.terms, 2 * n);
    EXPECT_EQ(r.diagnostics.active_terms, active);
    EXPECT_EQ(r.diagnostics.anchors_without_negative, n == 1 ? 2 : 0);
  }
}

TEST(HardNegative, GradientsWithoutAReductionAreThoseOfTheSum) {
  expect_gradients_of_the_sum<nearfar::HardNegative<double>>(nearfar::HardNegativeOptions());
}

TEST(HardNegative, RefusesOptionsOutOfRange) {
  using nearfar::HardNegative;
  expect_must_be_positive("temperature", [](double v) { HardNegative<float>({.temperature = v}); });
  const char* at_least_0 = "a finite number >= 0";
  const auto concentration = [](double v) { HardNegative<float>({.concentration = v}); };
  expect_must_be_finite("concentration", concentration, at_least_0);
  expect_refuses({"concentration", at_least_0, concentration}, {{-1, "-1"}});
  EXPECT_NO_THROW(concentration(0));
  const char* below_1 = "a number in [0, 1)";
  const auto prior = [](double v) { HardNegative<float>({.positive_prior = v}); };
  expect_must_be_finite("positive_prior", prior, below_1);
  expect_refuses({"positive_prior", below_1, prior}, {{-0.1, "-0.1"}, {1, "1"}});
  for (const double good : {0.0, 0.5, 0.999}) EXPECT_NO_THROW(prior(good));
}

TEST(HardNegative, HasTheDefaultsOfItsPage) {
  const nearfar::HardNegativeOptions options;
  EXPECT_EQ(options.temperature, 0.5);
  EXPECT_EQ(options.positive_prior, 0.1);
  EXPECT_EQ(options.concentration, 1);
  expect_common_defaults<nearfar::HardNegativeOptions>();
}

}  // namespace
