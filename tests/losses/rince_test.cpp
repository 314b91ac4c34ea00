#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/rince.hpp>
#include <stdexcept>

#include "support/options.hpp"
#include "support/score_slopes.hpp"
#include "support/two_views.hpp"

/// RINCE against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::InnerProduct;
using nearfar::Reduction;
using nearfar::Rince;
using nearfar::RinceOptions;
using nearfar::RinceViews;

struct Numbers {
  double temperature;
  double lambda;
  double q;
};

/// Loss and derivatives of row i with its positive, over the keys with is_key.
template <class IsKey>
void add_row(ScoreSlopes& want, const oracle::Matrix& s, const Numbers& numbers, Index i,
             Index positive, const IsKey& is_key) {
  const Real t = static_cast<Real>(numbers.temperature);
  const Real q = static_cast<Real>(numbers.q);
  Real sum = 0;
  for (Index j = 0; j < s.rows(); ++j) sum += is_key(j) ? std::exp(s(i, j) / t) : 0;
  const Real power = std::pow(static_cast<Real>(numbers.lambda) * sum, q);
  const Real own = std::exp(q * s(i, positive) / t);
  want.values[std::size_t(i)] = (power - own) / q;
  for (Index j = 0; j < s.rows(); ++j) {
    if (is_key(j)) want.slopes(i, j) = power * std::exp(s(i, j) / t) / sum / t;
  }
  want.slopes(i, positive) -= own / t;
}

ScoreSlopes of_queries(Index n, const oracle::Matrix& s, const Numbers& numbers) {
  ScoreSlopes want(std::size_t(n), 2 * n);
  for (Index i = 0; i < n; ++i) {
    add_row(want, s, numbers, i, n + i, [&](Index j) { return j >= n; });
  }
  return want;
}

ScoreSlopes of_views(Index n, const oracle::Matrix& s, const Numbers& numbers) {
  ScoreSlopes want(std::size_t(2 * n), 2 * n);
  for (Index i = 0; i < 2 * n; ++i) {
    add_row(want, s, numbers, i, (i + n) % (2 * n), [&](Index j) { return j != i; });
  }
  return want;
}

constexpr Numbers settings[] = {
    {0.5, 0.01, 0.5}, {0.5, 1, 1}, {0.25, 0.3, 0.01}, {0.1, 1, 0.3}, {0.5, 20, 1e-6}};

template <class S>
class RinceOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(RinceOf, Scalars);

TYPED_TEST(RinceOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Index n : {1, 2, 7, 33, 400}) {
    const Matrix<S> rows = random_rows<S>(2 * n, 9, 3);
    const Matrix<S> a = rows.topRows(n);
    const Matrix<S> b = rows.bottomRows(n);
    const oracle::Matrix exact = oracle::exact(rows);
    const oracle::Matrix s = exact * exact.transpose();
    for (const Numbers& one : settings) {
      SCOPED_TRACE(testing::Message() << n << " rows, temperature " << one.temperature
                                      << ", lambda " << one.lambda << ", q " << one.q);
      Matrix<S> da;
      Matrix<S> db;
      Matrix<S> both(2 * n, 9);
      const Rince<S, InnerProduct> queries({.temperature = one.temperature,
                                            .lambda = one.lambda,
                                            .q = one.q,
                                            .reduction = Reduction::none});
      const auto of_keys = queries.forward_backward(a, b, da, db);
      both << da, db;
      expect_score_slopes<S>(of_keys, both, of_queries(n, s, one), rows, one.temperature);
      EXPECT_EQ(queries.forward(a, b).values, of_keys.values);
      const RinceViews<S, InnerProduct> views({.temperature = one.temperature,
                                               .lambda = one.lambda,
                                               .q = one.q,
                                               .reduction = Reduction::none});
      const auto of_both = views.forward_backward(a, b, da, db);
      both << da, db;
      expect_score_slopes<S>(of_both, both, of_views(n, s, one), rows, one.temperature);
      EXPECT_EQ(views.forward(a, b).values, of_both.values);
      EXPECT_EQ(of_both.diagnostics.terms, 2 * n);
      EXPECT_EQ(of_keys.diagnostics.anchors_without_negative, n == 1 ? 1 : 0);
    }
  }
}

/// With lambda = 1, q log(lambda) is 0: the loss and its gradient are then those of the softmax, to
/// order q.
TYPED_TEST(RinceOf, OfASmallExponentIsTheSoftmaxLoss) {
  using S = TypeParam;
  const Matrix<S> a = random_rows<S>(12, 5, 1);
  const Matrix<S> b = random_rows<S>(12, 5, 2);
  Matrix<S> da, db, da_softmax, db_softmax;
  const double small = 1e-14;
  const auto got = Rince<S>({.lambda = 1, .q = small}).forward_backward(a, b, da, db);
  const auto want =
      nearfar::InfoNce<S>({.temperature = 0.5}).forward_backward(a, b, da_softmax, db_softmax);
  EXPECT_NEAR(got.value, want.value, Tolerance<S>::value * want.value);
  EXPECT_NEAR(got.d_temperature, want.d_temperature,
              Tolerance<S>::same * std::abs(want.d_temperature) + 1e-10);
  EXPECT_LE((da - da_softmax).norm(), S(Tolerance<S>::same) * da_softmax.norm());
  const auto views = RinceViews<S>({.lambda = 1, .q = small}).forward(a, b);
  const auto nt_xent = nearfar::NtXent<S>({.temperature = 0.5}).forward(a, b);
  EXPECT_NEAR(views.value, nt_xent.value, Tolerance<S>::value * nt_xent.value);
}

/// A batch with losses near 0, lambda 1: the loss is far below the powers whose difference it is.
TYPED_TEST(RinceOf, SmallValuesKeepTheirDigits) {
  using S = TypeParam;
  const Matrix<S> unit = Matrix<S>::Identity(3, 3);
  const double t = 0x1p-5;
  for (const double q : {0.5, 1e-3}) {
    Matrix<S> da;
    Matrix<S> db;
    const auto got =
        Rince<S, InnerProduct>({.temperature = t, .lambda = 1, .q = q, .reduction = Reduction::sum})
            .forward_backward(unit, unit, da, db);
    const Real a = 1 / static_cast<Real>(t);
    const Real l = std::log1p(2 * std::exp(-a));
    const Real value = std::exp(q * a) * std::expm1(q * l) / q;
    EXPECT_LE(std::abs(got.value - 3 * value), Tolerance<S>::value * 3 * value);
    const Real slope = std::exp(q * a) * std::expm1(-(1 - static_cast<Real>(q)) * l) / t;
    EXPECT_LE(std::abs(static_cast<Real>(da(1, 1)) - slope),
              20 * Tolerance<S>::gradient * std::abs(slope))
        << da(1, 1) << ", wanted " << slope;
    const Real others = std::exp(q * (a + l)) * std::exp(-a - l) / t;
    EXPECT_LE(std::abs(static_cast<Real>(da(1, 0)) - others), 20 * Tolerance<S>::gradient * others);
  }
}

/// Powers that overflow are errors before a gradient changes; powers that underflow are 0.
TYPED_TEST(RinceOf, PowersBeyondTheRangeAreErrorsOrZero) {
  using S = TypeParam;
  const Matrix<S> unit = Matrix<S>::Identity(3, 3);
  const Matrix<S> before = Matrix<S>::Constant(3, 3, S(7));
  Matrix<S> da = before;
  Matrix<S> db = before;
  const Rince<S, InnerProduct> steep({.temperature = 1e-4, .q = 1});
  EXPECT_THROW(steep.forward(unit, unit), std::domain_error);
  EXPECT_THROW(steep.forward_backward(unit, unit, da, db), std::domain_error);
  EXPECT_EQ(da, before);
  EXPECT_EQ(db, before);
  if constexpr (sizeof(S) == sizeof(float)) {  // exp(100) overflows float, not double
    const Rince<S, InnerProduct> half({.temperature = 0.01, .q = 1});
    EXPECT_GT(-half.forward(unit, unit).value, 1e40);
    EXPECT_THROW(half.forward_backward(unit, unit, da, db), std::domain_error);
    EXPECT_EQ(da, before);
  }
  const Matrix<S> far = Matrix<S>(unit * S(-1));
  const auto small = Rince<S, InnerProduct>({.temperature = 1e-4, .q = 1})
                         .forward_backward(unit, Matrix<S>(far - unit), da, db);
  EXPECT_TRUE(std::isfinite(small.value));
  EXPECT_TRUE(da.allFinite());
  const auto distances = Rince<S, nearfar::Euclidean>({.temperature = 1e-4, .q = 1})
                             .forward_backward(unit, far, da, db);
  EXPECT_EQ(distances.value, 0);
  EXPECT_EQ(da, (Matrix<S>::Zero(3, 3)));
}

TEST(Rince, GradientsWithoutAReductionAreThoseOfTheSum) {
  expect_gradients_of_the_sum<Rince<double>>(RinceOptions());
  expect_gradients_of_the_sum<RinceViews<double>>(nearfar::RinceViewsOptions());
}

template <class Loss>
void expect_ranges() {
  expect_must_be_positive("temperature", [](double v) { Loss({.temperature = v}); });
  expect_must_be_positive("lambda", [](double v) { Loss({.lambda = v}); });
  const auto exponent = [](double v) { Loss({.q = v}); };
  expect_refuses({"q", "a number in (0, 1]", exponent}, {{1.5, "1.5"}, {1e3, "1000"}});
  expect_refuses({"q", "a finite number > 0", exponent},
                 {{0, "0"}, {-0.5, "-0.5"}, {not_a_number, "nan"}, {infinite, "inf"}});
  EXPECT_NO_THROW(exponent(1));
  EXPECT_NO_THROW(exponent(1e-6));
}

TEST(Rince, RefusesOptionsOutOfRange) {
  expect_ranges<Rince<float>>();
  expect_ranges<RinceViews<float>>();
}

TEST(Rince, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(RinceOptions().temperature, 0.5);
  EXPECT_EQ(RinceOptions().lambda, 0.01);
  EXPECT_EQ(RinceOptions().q, 0.5);
  EXPECT_EQ(nearfar::RinceViewsOptions().temperature, 0.5);
  EXPECT_EQ(nearfar::RinceViewsOptions().lambda, 0.01);
  EXPECT_EQ(nearfar::RinceViewsOptions().q, 0.5);
  expect_common_defaults<RinceOptions>();
  expect_common_defaults<nearfar::RinceViewsOptions>();
}

}  // namespace
