#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/nca.hpp>
#include <nearfar/losses/sup_con.hpp>

#include "support/learnable_numbers.hpp"
#include "support/options.hpp"
#include "support/rows_oracle.hpp"

/// Neighbourhood components analysis against plain loops over pairs in long double, and its
/// options.

namespace {

using namespace support;
using nearfar::Nca;
using nearfar::Reduction;

using Labels = std::vector<std::int64_t>;

template <class Kernel>
Real mean_over_anchors(const Kernel& kernel, Real t, const oracle::Matrix& x,
                       const Labels& labels) {
  const oracle::Matrix d = distances(kernel, x);
  SumOfTerms all;
  for (Index i = 0; i < x.rows(); ++i) {
    const OtherRows others(labels, i);
    if (others.positives.empty()) continue;
    Real nearest = d(i, others.positives[0]);
    for (const Index p : others.positives) nearest = std::min(nearest, d(i, p));
    Real positives = 0;
    Real negatives = 0;
    for (const Index p : others.positives) positives += std::exp((nearest - d(i, p)) / t);
    for (const Index k : others.negatives) negatives += std::exp((nearest - d(i, k)) / t);
    all.add(std::log1p(negatives / positives));
  }
  return all.mean();
}

template <class S>
class NcaOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(NcaOf, Scalars);

TYPED_TEST(NcaOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const double t : {1.0, 0.5, 8.0}) {
    SCOPED_TRACE(t);
    const auto want = [=](const oracle::Matrix& x, const Labels& labels) {
      return mean_over_anchors(oracle::SquaredEuclidean(), Real(t), x, labels);
    };
    const Nca<S> loss({.temperature = t});
    expect_values<S>(loss, want);
    for (const Batch& batch : small_batches_without_ties()) {
      expect_value_and_gradient<S>(batch, loss, want);
    }
  }
}

TYPED_TEST(NcaOf, SimilaritiesIsTheSame) {
  using S = TypeParam;
  const auto want = [=](const oracle::Matrix& x, const Labels& labels) {
    return mean_over_anchors(oracle::Cosine(), Real(0.25), x, labels);
  };
  const Nca<S, nearfar::Cosine> loss({.temperature = 0.25});
  expect_values<S>(loss, want);
  for (const Batch& batch : small_batches_without_ties()) {
    expect_value_and_gradient<S>(batch, loss, want);
  }
}

/// SupCon has the mean over positives, this loss the sum.
TEST(Nca, IsSupConWithoutTheLogarithmsOfCounts) {
  const Batch batch = batches()[3];
  Matrix<double> dx, of_sup_con;
  const auto got = Nca<double, nearfar::Cosine>({.temperature = 0.2, .reduction = Reduction::none})
                       .forward_backward(batch.x, batch.labels, dx);
  const auto sup_con =
      nearfar::SupCon<double>(
          {.temperature = 0.2, .variant = nearfar::SupConVariant::in, .reduction = Reduction::none})
          .forward_backward(batch.x, batch.labels, of_sup_con);
  for (Index i = 0; i < batch.x.rows(); ++i) {
    const auto positives = OtherRows(batch.labels, i).positives.size();
    const auto at = static_cast<std::size_t>(i);
    if (positives == 0) continue;
    EXPECT_NEAR(got.values[at], sup_con.values[at] - std::log(static_cast<double>(positives)),
                1e-12);
  }
  EXPECT_EQ(dx, of_sup_con);
  EXPECT_EQ(got.d_temperature, sup_con.d_temperature);
}

TEST(Nca, OfAnchorsWithoutANegativeIsZero) {
  const Matrix<double> x = random_rows<double>(9, 3, 4);
  Matrix<double> dx;
  const auto got = Nca<double>().forward_backward(x, std::vector<int>(9, 1), dx);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.d_temperature, 0);
  EXPECT_EQ(got.diagnostics.terms, 9);
  EXPECT_EQ(got.diagnostics.active_terms, 0);
  EXPECT_EQ(dx, (Matrix<double>::Zero(9, 3)));
}

/// Positives far nearer than negatives: the loss is small, and must not be a cancelled difference.
TYPED_TEST(NcaOf, SmallLossesKeepTheirDigits) {
  using S = TypeParam;
  Matrix<S> x(4, 1);
  x << S(0), S(0.5), S(1), S(8);
  const auto got = Nca<S>({.reduction = Reduction::none}).forward(x, std::vector<int>{0, 0, 0, 1});
  const Real positives[] = {std::exp(Real(-0.25)) + std::exp(Real(-1)), 2 * std::exp(Real(-0.25)),
                            std::exp(Real(-0.25)) + std::exp(Real(-1))};
  const Real negatives[] = {std::exp(Real(-64)), std::exp(Real(-56.25)), std::exp(Real(-49))};
  for (std::size_t i = 0; i < 3; ++i) {
    const Real want = std::log1p(negatives[i] / positives[i]);
    EXPECT_LE(std::abs(static_cast<Real>(got.values[i]) - want), Tolerance<S>::value * want) << i;
  }
}

TEST(Nca, HasTheDerivativeOfItsTemperature) {
  const Batch batch = batches()[2];
  const oracle::Matrix x = oracle::exact(batch.x);
  const Slope want(
      [&](Real t) { return mean_over_anchors(oracle::SquaredEuclidean(), t, x, batch.labels); },
      Real(4));
  Matrix<double> dx;
  const auto got = Nca<double>({.temperature = 4}).forward_backward(batch.x, batch.labels, dx);
  expect_derivative(got.d_temperature, want.derivative, "d_temperature");
}

TEST(Nca, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature", [](double v) { Nca<float>({.temperature = v}); });
}

TEST(Nca, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::NcaOptions().temperature, 1);
  expect_common_defaults<nearfar::NcaOptions>();
}

}  // namespace
