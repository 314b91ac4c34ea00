#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/dhel.hpp>
#include <stdexcept>

#include "support/options.hpp"
#include "support/score_slopes.hpp"
#include "support/two_views.hpp"

/// DHEL against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::Dhel;
using nearfar::InnerProduct;
using nearfar::Reduction;

ScoreSlopes dhel(Index n, const oracle::Matrix& s, Real t, bool both_views) {
  ScoreSlopes want(std::size_t(n), 2 * n);
  for (Index i = 0; i < n && n > 1; ++i) {
    Real& value = want.values[std::size_t(i)];
    value = -s(i, n + i) / t;
    want.slopes(i, n + i) -= 1 / t;
    for (const Index first : {Index(0), n}) {
      if (first == n && !both_views) break;
      Real sum = 0;
      for (Index j = 0; j < n; ++j) sum += j != i ? std::exp(s(first + i, first + j) / t) : 0;
      for (Index j = 0; j < n; ++j) {
        if (j == i) continue;
        want.slopes(first + i, first + j) += std::exp(s(first + i, first + j) / t) / sum / t;
      }
      value += std::log(sum);
    }
  }
  return want;
}

template <class S>
class DhelOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(DhelOf, Scalars);

TYPED_TEST(DhelOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Index n : {1, 2, 7, 33, 400}) {
    const Matrix<S> rows = random_rows<S>(2 * n, 9, 3);
    const Matrix<S> a = rows.topRows(n);
    const Matrix<S> b = rows.bottomRows(n);
    const oracle::Matrix exact = oracle::exact(rows);
    for (const bool both_views : {true, false}) {
      for (const double t : {0.5, 0.1, 0.02}) {
        SCOPED_TRACE(testing::Message() << n << " rows, temperature " << t);
        const ScoreSlopes want =
            dhel(n, exact * exact.transpose(), static_cast<Real>(t), both_views);
        const Dhel<S, InnerProduct> loss(
            {.temperature = t, .both_views = both_views, .reduction = Reduction::none});
        Matrix<S> da;
        Matrix<S> db;
        const auto got = loss.forward_backward(a, b, da, db);
        Matrix<S> both(2 * n, 9);
        both << da, db;
        expect_score_slopes<S>(got, both, want, rows, t);
        EXPECT_EQ(loss.forward(a, b).values, got.values);
        EXPECT_EQ(got.diagnostics.terms, n);
        EXPECT_EQ(got.diagnostics.anchors_without_negative, n == 1 ? 1 : 0);
      }
    }
  }
}

TEST(Dhel, GradientsWithoutAReductionAreThoseOfTheSum) {
  expect_gradients_of_the_sum<Dhel<double>>(nearfar::DhelOptions());
}

/// Inner products of one view's rows overflow, those with the other view's rows do not.
TEST(Dhel, RefusesRowsWhoseProductsOverflow) {
  const Matrix<float> small = Matrix<float>::Constant(2, 2, 1e-9F);
  const Matrix<float> large = Matrix<float>::Constant(2, 2, 1e25F);
  const Dhel<float, InnerProduct> both;
  EXPECT_THROW(both.forward(small, large), std::domain_error);
  EXPECT_THROW(both.forward(large, small), std::domain_error);
  EXPECT_NO_THROW((Dhel<float, InnerProduct>({.both_views = false}).forward(small, large)));
}

TEST(Dhel, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature", [](double v) { Dhel<float>({.temperature = v}); });
}

TEST(Dhel, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::DhelOptions().temperature, 0.5);
  EXPECT_TRUE(nearfar::DhelOptions().both_views);
  expect_common_defaults<nearfar::DhelOptions>();
}

}  // namespace
