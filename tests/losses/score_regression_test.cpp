#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/score_regression.hpp>

#include "support/options.hpp"
#include "support/pair_slopes.hpp"

/// Regression of scores against plain loops in long double.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::ScoreRegression;

template <class S>
class ScoreRegressionOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ScoreRegressionOf, Scalars);

template <class S, class K, class O>
void expect_formula(const O& kernel) {
  for (const Index n : {1, 2, 33, 400}) {
    SCOPED_TRACE(n);
    const Matrix<S> a = random_rows<S>(n, 9, 3);
    const Matrix<S> b = random_rows<S>(n, 9, 4);
    const std::vector<S> targets = random_targets<S>(n, 5);
    const oracle::Matrix s = oracle::paired(kernel, oracle::exact(a), oracle::exact(b));
    std::vector<PairSlope> slopes;
    Real sum = 0;
    for (Index i = 0; i < n; ++i) {
      const Real error = s(i, 0) - static_cast<Real>(targets[static_cast<std::size_t>(i)]);
      sum += error * error;
      slopes.push_back({i, i, 2 * error / static_cast<Real>(n)});
    }
    const ScoreRegression<S, K> loss;
    Matrix<S> da;
    Matrix<S> db;
    const auto got = loss.forward_backward(a, b, targets, da, db);
    expect_number<S>(got.value, sum / static_cast<Real>(n), 1, "value");
    EXPECT_EQ(got.diagnostics.terms, n);
    const oracle::Gradients want = gradients_of(kernel, a, b, slopes);
    // If the error is small, the rounding error of the score remains.
    expect_near<S>(da, want.a.values, Tolerance<S>::gradient, "da");
    expect_near<S>(db, want.b.values, Tolerance<S>::gradient, "db");
    EXPECT_EQ(loss.forward(a, b, targets).value, got.value);
  }
}

TYPED_TEST(ScoreRegressionOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  expect_formula<S, nearfar::Cosine>(oracle::Cosine());
  expect_formula<S, nearfar::InnerProduct>(oracle::InnerProduct());
  expect_formula<S, nearfar::Euclidean>(oracle::Euclidean());
}

TEST(ScoreRegression, HasAValueAPair) {
  Matrix<double> a(2, 1);
  a << 2, 3;
  Matrix<double> b(2, 1);
  b << 4, -1;
  const ScoreRegression<double, nearfar::InnerProduct> loss({.reduction = Reduction::none});
  Matrix<double> da;
  Matrix<double> db;
  const auto got = loss.forward_backward(a, b, std::vector<double>{7, -3}, da, db);
  EXPECT_EQ(got.values, (std::vector<double>{1, 0}));
  EXPECT_EQ(got.diagnostics.active_terms, 1);
  EXPECT_EQ(da(0, 0), 8);
  EXPECT_EQ(da(1, 0), 0);
}

TEST(ScoreRegression, HasTheDefaultsOfItsPage) {
  expect_common_defaults<nearfar::ScoreRegressionOptions>();
}

}  // namespace
