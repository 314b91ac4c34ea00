#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/dclw.hpp>
#include <nearfar/losses/nt_xent.hpp>

#include "support/options.hpp"
#include "support/score_slopes.hpp"
#include "support/two_views.hpp"

/// DCLW against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::Dclw;
using nearfar::InnerProduct;
using nearfar::Reduction;

/// The derivatives treat weights as constants.
ScoreSlopes dclw(Index n, const oracle::Matrix& s, Real t, Real sigma) {
  ScoreSlopes want(std::size_t(2 * n), 2 * n);
  Real mean = 0;
  for (Index k = 0; k < n; ++k) mean += std::exp(s(k, n + k) / sigma) / static_cast<Real>(n);
  for (Index i = 0; i < 2 * n && n > 1; ++i) {
    const Index partner = (i + n) % (2 * n);
    const Real w = 2 - std::exp(s(i, partner) / sigma) / mean;
    Real sum = 0;
    for (Index j = 0; j < 2 * n; ++j) {
      sum += j != i && j != partner ? std::exp(s(i, j) / t) : 0;
    }
    for (Index j = 0; j < 2 * n; ++j) {
      if (j != i && j != partner) want.slopes(i, j) = std::exp(s(i, j) / t) / sum / t;
    }
    want.slopes(i, partner) = -w / t;
    want.values[std::size_t(i)] = std::log(sum) - w * s(i, partner) / t;
  }
  return want;
}

template <class S>
class DclwOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(DclwOf, Scalars);

TYPED_TEST(DclwOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Index n : {1, 2, 7, 33, 300}) {
    const Matrix<S> rows = random_rows<S>(2 * n, 9, 3);
    const Matrix<S> a = rows.topRows(n);
    const Matrix<S> b = rows.bottomRows(n);
    const oracle::Matrix exact = oracle::exact(rows);
    for (const double t : {0.5, 0.1, 0.02}) {
      for (const double sigma : {0.5, 3.0}) {
        SCOPED_TRACE(testing::Message() << n << " rows, temperature " << t << ", sigma " << sigma);
        const ScoreSlopes want =
            dclw(n, exact * exact.transpose(), static_cast<Real>(t), static_cast<Real>(sigma));
        const Dclw<S, InnerProduct> loss(
            {.temperature = t, .sigma = sigma, .reduction = Reduction::none});
        Matrix<S> da;
        Matrix<S> db;
        const auto got = loss.forward_backward(a, b, da, db);
        Matrix<S> both(2 * n, 9);
        both << da, db;
        expect_score_slopes<S>(got, both, want, rows, t);
        EXPECT_EQ(loss.forward(a, b).values, got.values);
        EXPECT_EQ(got.diagnostics.terms, 2 * n);
        EXPECT_EQ(got.diagnostics.anchors_without_negative, n == 1 ? 2 : 0);
      }
    }
  }
}

/// exp(s / sigma) of one pair dominates the mean: its weight is 2 - N, that of all others 2.
TYPED_TEST(DclwOf, ASharpSigmaWeighsOnePairAlone) {
  using S = TypeParam;
  Matrix<S> a = Matrix<S>::Identity(4, 4);
  a(0, 0) = S(2);
  const double t = 0.5;
  const auto got =
      Dclw<S, InnerProduct>({.temperature = t, .sigma = 1e-6, .reduction = Reduction::none})
          .forward(a, a);
  const double of_others = std::log(6.0);  // of six scores 0
  const double digits = Tolerance<S>::value * 2 * 4 / t;
  EXPECT_NEAR(got.values[0], of_others + 2 * 4 / t, digits);
  EXPECT_NEAR(got.values[1], of_others - 2 * 1 / t, digits);
}

TEST(Dclw, OfAWideSigmaIsDecoupledNtXent) {
  const TwoViews v(21, 1);
  Matrix<double> da, db, da_wanted, db_wanted;
  const auto got =
      Dclw<double>({.temperature = 0.3, .sigma = 1e12}).forward_backward(v.a, v.b, da, db);
  const auto want = nearfar::NtXent<double>(
                        {.temperature = 0.3, .denominator = nearfar::Denominator::negatives_only})
                        .forward_backward(v.a, v.b, da_wanted, db_wanted);
  EXPECT_NEAR(got.value, want.value, 1e-10);
  EXPECT_NEAR(got.d_temperature, want.d_temperature, 1e-10);
  EXPECT_LE((da - da_wanted).norm(), 1e-10);
  EXPECT_LE((db - db_wanted).norm(), 1e-10);
}

TEST(Dclw, GradientsWithoutAReductionAreThoseOfTheSum) {
  expect_gradients_of_the_sum<Dclw<double>>(nearfar::DclwOptions());
}

TEST(Dclw, RefusesOptionsOutOfRange) {
  expect_must_be_positive("temperature", [](double v) { Dclw<float>({.temperature = v}); });
  expect_must_be_positive("sigma", [](double v) { Dclw<float>({.sigma = v}); });
}

TEST(Dclw, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::DclwOptions().temperature, 0.1);
  EXPECT_EQ(nearfar::DclwOptions().sigma, 0.5);
  expect_common_defaults<nearfar::DclwOptions>();
}

}  // namespace
