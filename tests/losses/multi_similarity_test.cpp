#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/multi_similarity.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"
#include "support/rows_oracle.hpp"

/// The multi-similarity loss against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::Reduction;

TEST(MultiSimilarity, EqualsTheFormula) {
  for (const Batch& batch : small_and_large_batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x);
    const Real want = over_rows(batch, [&](Index i, const auto& positives, const auto& negatives) {
      Real a = 1;
      Real b = 1;
      for (const Index p : positives) a += std::exp(Real(-2) * (s(i, p) - Real(0.5)));
      for (const Index k : negatives) b += std::exp(Real(50) * (s(i, k) - Real(0.5)));
      return std::log(a) / 2 + std::log(b) / 50;
    });
    expect_value(nearfar::MultiSimilarity<double>({.reduction = Reduction::sum})
                     .forward(batch.x, batch.labels)
                     .value,
                 want);
  }
}

Real mined(Real epsilon, const oracle::Matrix& x, const std::vector<std::int64_t>& labels) {
  const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x);
  Real sum = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    const OtherRows others(labels, i);
    if (others.positives.empty() || others.negatives.empty()) continue;
    Real lowest = 2;
    Real highest = -2;
    for (const Index p : others.positives) lowest = std::min(lowest, s(i, p));
    for (const Index k : others.negatives) highest = std::max(highest, s(i, k));
    Real a = 1;
    Real b = 1;
    for (const Index p : others.positives) {
      if (s(i, p) < highest + epsilon) a += std::exp(Real(-2) * (s(i, p) - Real(0.5)));
    }
    for (const Index k : others.negatives) {
      if (s(i, k) > lowest - epsilon) b += std::exp(Real(10) * (s(i, k) - Real(0.5)));
    }
    sum += std::log(a) / 2 + std::log(b) / 10;
  }
  return sum / static_cast<Real>(x.rows());
}

template <class S>
class MultiSimilarityOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MultiSimilarityOf, Scalars);

TYPED_TEST(MultiSimilarityOf, MinedPairsEqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const double epsilon : {0.1, 0.0, -0.3, 5.0}) {
    SCOPED_TRACE(epsilon);
    const auto want = [=](const oracle::Matrix& x, const std::vector<std::int64_t>& labels) {
      return mined(Real(epsilon), x, labels);
    };
    const nearfar::MultiSimilarity<S> loss({.beta = 10, .epsilon = epsilon});
    for (const Batch& batch : small_and_large_batches()) {
      if (batch.name.find("ties") != std::string::npos) continue;
      SCOPED_TRACE(batch.name);
      const Matrix<S> x = batch.x.template cast<S>();
      EXPECT_NEAR(loss.forward(x, batch.labels).value,
                  static_cast<double>(want(oracle::exact(x), batch.labels)), Tolerance<S>::value);
    }
    for (const Batch& batch : small_batches_without_ties()) {
      expect_value_and_gradient<S>(batch, loss, want);
    }
  }
}

/// Inner products that are exact, so that there are exact ties.
TYPED_TEST(MultiSimilarityOf, MinedTiesAreLeftOut) {
  using S = TypeParam;
  Matrix<S> x(4, 2);
  x << S(1), S(0), S(0.5), S(0), S(0.75), S(0), S(0.25), S(0);
  const std::vector<int> labels = {0, 0, 1, 1};
  // For the first row: the positive at 0.5, negatives at 0.75 and 0.25.
  const auto at = [&](double epsilon) {
    return nearfar::MultiSimilarity<S, nearfar::InnerProduct>(
               {.alpha = 1, .beta = 1, .base = 0, .epsilon = epsilon, .reduction = Reduction::none})
        .forward(x, labels)
        .values[0];
  };
  const double positive = std::log1p(std::exp(-0.5));
  const double high = std::exp(0.75);
  const double low = std::exp(0.25);
  EXPECT_NEAR(at(0), positive + std::log1p(high), 1e-6);
  EXPECT_NEAR(at(0.25), positive + std::log1p(high), 1e-6);
  EXPECT_NEAR(at(0.5), positive + std::log1p(high + low), 1e-6);
  EXPECT_NEAR(at(-0.25), 0, 1e-6);
}

TEST(MultiSimilarity, RefusesOptionsOutOfRange) {
  using nearfar::MultiSimilarity;
  expect_must_be_positive("alpha", [](double v) { MultiSimilarity<float>({.alpha = v}); });
  expect_must_be_positive("beta", [](double v) { MultiSimilarity<float>({.beta = v}); });
  expect_must_be_finite("base", [](double v) { MultiSimilarity<float>({.base = v}); });
  expect_must_be_finite("epsilon", [](double v) { MultiSimilarity<float>({.epsilon = v}); });
}

TEST(MultiSimilarity, HasTheDefaultsOfItsPage) {
  const nearfar::MultiSimilarityOptions options;
  EXPECT_EQ(options.alpha, 2);
  EXPECT_EQ(options.beta, 50);
  EXPECT_EQ(options.base, 0.5);
  EXPECT_FALSE(options.epsilon);
  expect_common_defaults<nearfar::MultiSimilarityOptions>();
}

}  // namespace
