#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/nearfar.hpp>

#include "support/labelled_batches.hpp"
#include "support/loss_oracles.hpp"

/// Values of losses without labels against the plainest loops over rows, in long double. (Gradients
/// are held against differences of these values elsewhere.)

namespace {

using namespace support;
using nearfar::Reduction;
using oracle::row;

constexpr double same = 1e-12;

// ---- two views ---------------------------------------------------------------------------------

/// Two views above each other, and their cosines over the temperature.
struct Views {
  Matrix<double> a;
  Matrix<double> b;
  oracle::Matrix s;
  Index n;

  Views(Index rows, Real temperature)
      : a(random_rows<double>(rows, 17, 21)), b(random_rows<double>(rows, 17, 22)), n(rows) {
    oracle::Matrix all(2 * rows, 17);
    all << oracle::exact(a), oracle::exact(b);
    s = oracle::pairwise(oracle::Cosine(), all, all) / temperature;
  }

  Index partner(Index i) const { return i < n ? i + n : i - n; }
  bool negative(Index i, Index j) const { return j != i && j != partner(i); }
};

TEST(NtXentValues, AreThoseOfTheFormulaWithAndWithoutThePositiveBelow) {
  for (const Index n : {2, 7, 33, 200}) {
    const Views v(n, 0.25);
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

TEST(HardNegativeValues, AreThoseOfTheFormula) {
  for (const Index n : {2, 7, 200}) {
    for (const auto& [prior, beta] :
         {std::pair(0.0, 0.0), std::pair(0.1, 1.0), std::pair(0.1, 0.0), std::pair(0.6, 2.0)}) {
      const Real tau = 0.25;
      const Views v(n, tau);
      const Real count = static_cast<Real>(2 * n - 2);
      Real want = 0;
      for (Index i = 0; i < 2 * n; ++i) {
        Real hardened = 0;
        Real weights = 0;
        for (Index j = 0; j < 2 * n; ++j) {
          if (!v.negative(i, j)) continue;
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
      expect_value(loss.forward(v.a, v.b).value, want);
    }
  }
}

/// Two samples whose views are alike, and two whose views point apart: losses from 1e-174 to 1000.
TEST(HardNegativeValues, OfSharpTemperaturesKeepTheirDigits) {
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

/// Lengths do not matter. Of many rows: some positives are the first keys of a stretch.
TEST(HardNegativeValues, HaveGradientsAcrossTheirRows) {
  const Matrix<double> a = random_rows<double>(400, 4, 25);
  const Matrix<double> b = random_rows<double>(400, 4, 26);
  Matrix<double> da, db;
  nearfar::HardNegative<double>().forward_backward(a, b, da, db);
  EXPECT_GT(da.rowwise().norm().minCoeff(), 0);
  EXPECT_GT(db.rowwise().norm().minCoeff(), 0);
  EXPECT_LE(a.cwiseProduct(da).rowwise().sum().cwiseAbs().maxCoeff(), same);
  EXPECT_LE(b.cwiseProduct(db).rowwise().sum().cwiseAbs().maxCoeff(), same);
}

/// Every cosine is -1/3: a thousand times less than the largest is less than any exponential holds.
TEST(HardNegativeValues, OfRowsAsFarApartAsTheyCanBe) {
  Matrix<double> a(2, 3), b(2, 3), da, db;
  a << 1, 1, 1, 1, -1, -1;
  b << -1, 1, -1, -1, -1, 1;
  const nearfar::HardNegative<double> loss({.temperature = 1e-3});
  EXPECT_NEAR(loss.forward_backward(a, b, da, db).value, std::log(3.0), 1e-10);
  EXPECT_TRUE(da.allFinite() && db.allFinite());
}

TEST(HardNegativeValues, AreCounted) {
  for (const Index n : {Index(1), Index(4)}) {
    const Views v(n, 1);
    const auto r = nearfar::HardNegative<double>({.reduction = Reduction::none}).forward(v.a, v.b);
    const auto active =
        std::count_if(r.values.begin(), r.values.end(), [](double x) { return x > 0; });
    EXPECT_EQ(r.diagnostics.terms, 2 * n);
    EXPECT_EQ(r.diagnostics.active_terms, active);
    EXPECT_EQ(r.diagnostics.anchors_without_negative, n == 1 ? 2 : 0);
  }
}

/// forward_backward without a reduction is that of the sum of the values.
template <class Loss, class Options>
void expect_gradients_of_the_sum(Options options) {
  const Views v(3, 1);
  Matrix<double> da, db, da_of_sum, db_of_sum;
  options.reduction = Reduction::none;
  Loss(options).forward_backward(v.a, v.b, da, db);
  options.reduction = Reduction::sum;
  Loss(options).forward_backward(v.a, v.b, da_of_sum, db_of_sum);
  EXPECT_LE((da - da_of_sum).norm(), same * da_of_sum.norm());
  EXPECT_LE((db - db_of_sum).norm(), same * db_of_sum.norm());
}

TEST(NtXentValues, WithoutAReductionHaveTheGradientsOfTheirSum) {
  expect_gradients_of_the_sum<nearfar::NtXent<double>>(nearfar::NtXentOptions());
}

TEST(HardNegativeValues, WithoutAReductionHaveTheGradientsOfTheirSum) {
  expect_gradients_of_the_sum<nearfar::HardNegative<double>>(nearfar::HardNegativeOptions());
}

TEST(SupConValues, WithTwoViewsAndNoSharedLabelAreNtXents) {
  const Views v(33, 1);
  Matrix<double> all(66, 17);
  all << v.a, v.b;
  std::vector<int> labels;
  for (int i = 0; i < 66; ++i) labels.push_back(i % 33);
  const double of_views = nearfar::NtXent<double>({.temperature = 0.3}).forward(v.a, v.b).value;
  for (const auto variant : {nearfar::SupConVariant::out, nearfar::SupConVariant::in}) {
    EXPECT_NEAR(nearfar::SupCon<double>({.temperature = 0.3, .variant = variant})
                    .forward(all, labels)
                    .value,
                of_views, same * of_views);
  }
}

// ---- whole sets --------------------------------------------------------------------------------

TEST(AlignmentAndUniformityValues, AreThoseOfTheFormulas) {
  for (const Index n : {2, 7, 400}) {
    const Views v(n, 1);
    Real alignment = 0;
    Real potential = 0;
    for (Index i = 0; i < n; ++i) {
      alignment += std::pow(2 - 2 * v.s(i, i + n), Real(1.5) / 2) / static_cast<Real>(n);
      for (Index j = i + 1; j < n; ++j) potential += std::exp(-2 * (2 - 2 * v.s(i, j)));
    }
    expect_value(nearfar::Alignment<double>({.alpha = 1.5}).forward(v.a, v.b).value, alignment);
    expect_value(nearfar::Uniformity<double>().forward(v.a).value,
                 std::log(potential / static_cast<Real>(n * (n - 1) / 2)));
  }
}

/// Of which exp(-t d^2) is 0 in double for every pair.
TEST(AlignmentAndUniformityValues, OfNarrowGaussiansDoNotUnderflow) {
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

TEST(AlignmentAndUniformityValues, OfPairsThatAreAlikeAreCounted) {
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

TEST(MutualInformationValues, AreThoseOfTheFormulas) {
  using Bound = nearfar::MutualInformationBound;
  for (const Index n : {2, 7, 400}) {
    const Views v(n, 1);
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

/// Distances near 3000, whose exponential is none: what counts is how they differ.
struct FarDistances {
  Matrix<double> x = random_rows<double>(4, 3, 5);
  Matrix<double> y = random_rows<double>(4, 3, 6);
  Real info_nce;  ///< at temperature 1

  FarDistances() {
    y.col(0).array() += 3000;
    info_nce = oracle::info_nce(oracle::Euclidean(), 1, oracle::exact(x), oracle::exact(y), nullptr,
                                oracle::Request())
                   .value;
  }
};

TEST(InfoNceDistances, FarAboveTheTemperatureAreComparedWithEachOther) {
  const FarDistances far;
  const nearfar::InfoNce<double, nearfar::Euclidean> loss({.temperature = 1});
  const Real got = loss.forward(far.x, far.y).value;
  EXPECT_LE(std::abs(got - far.info_nce), Real(1e-10)) << got << ", wanted " << far.info_nce;
}

TEST(MutualInformationValues, OfDistancesFarAboveTheTemperature) {
  const FarDistances far;
  const nearfar::MutualInformation<double, nearfar::Euclidean> bound(
      {.bound = nearfar::MutualInformationBound::info_nce, .temperature = 1});
  const Real got = bound.forward(far.x, far.y).value;
  const Real want = std::log(Real(4)) - far.info_nce;
  EXPECT_LE(std::abs(got - want), Real(1e-10)) << got << ", wanted " << want;
}

TEST(MutualInformationValues, OfOneRowHaveNoPairThatIsNotJoint) {
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

TEST(MutualInformationValues, OfCorrelatedGaussiansAreBelowTheTruth) {
  // rho = 0.8 in 4 dimensions: the mutual information is -4/2 log(1 - rho^2) = 2.04 nats; the
  // critic is log p(x | y), the log density ratio up to a function of x alone, which InfoNCE does
  // not see.
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

TEST(NPairValues, AreInfoNceOfInnerProductsAtTemperatureOne) {
  const Matrix<double> a = random_rows<double>(33, 17, 1);
  const Matrix<double> p = random_rows<double>(33, 17, 2);
  Real want = 0;
  for (Index i = 0; i < 33; ++i) {
    Real sum = 1;
    const oracle::Matrix x = oracle::exact(a);
    const oracle::Matrix y = oracle::exact(p);
    for (Index j = 0; j < 33; ++j) {
      if (j == i) continue;
      sum += std::exp(oracle::dot(row(x, i), row(y, j)) - oracle::dot(row(x, i), row(y, i)));
    }
    want += std::log(sum) / 33;
  }
  expect_value(nearfar::NPair<double>().forward(a, p).value, want);
  EXPECT_EQ(
      (nearfar::InfoNce<double, nearfar::InnerProduct>({.temperature = 1})).forward(a, p).value,
      nearfar::NPair<double>().forward(a, p).value);
}

TEST(UniformLogits, GiveTheLogarithmOfTheNumberOfTerms) {
  const Matrix<double> x = Matrix<double>::Ones(12, 3);
  EXPECT_NEAR(nearfar::InfoNce<double>().forward(x, x).value, std::log(12.0), 1e-12);
  EXPECT_NEAR(nearfar::NtXent<double>().forward(x, x).value, std::log(23.0), 1e-12);
  EXPECT_NEAR(nearfar::Clip<double>().forward(x, x).value, std::log(12.0), 1e-12);
  EXPECT_NEAR(nearfar::SupCon<double>().forward(x, std::vector<int>(12, 3)).value, std::log(11.0),
              1e-12);
}

}  // namespace
