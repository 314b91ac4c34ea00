#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/sincere.hpp>
#include <nearfar/losses/tuplet_margin.hpp>

#include "support/learnable_numbers.hpp"
#include "support/options.hpp"
#include "support/rows_oracle.hpp"

/// The tuplet margin loss against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::TupletMargin;

using Labels = std::vector<std::int64_t>;

SumOfTerms terms_of(Real t, Real margin, const oracle::Matrix& x, const Labels& labels) {
  const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x);
  SumOfTerms all;
  for (Index i = 0; i < x.rows(); ++i) {
    const OtherRows others(labels, i);
    for (const Index p : others.positives) {
      const Real angle = std::acos(std::clamp<Real>(s(i, p), -1, 1));
      Real sum = 0;
      for (const Index k : others.negatives) {
        sum += std::exp((s(i, k) - std::cos(angle - margin)) / t);
      }
      all.add(std::log1p(sum));
    }
  }
  return all;
}

template <class S>
class TupletMarginOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(TupletMarginOf, Scalars);

TYPED_TEST(TupletMarginOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const auto& [t, margin] : {std::pair(0.25, 0.1), {0.125, 0.5}, {1.0, 0.0}}) {
    SCOPED_TRACE(testing::Message() << "temperature " << t << ", margin " << margin);
    const auto want = [t = Real(t), margin = Real(margin)](const oracle::Matrix& x,
                                                           const Labels& labels) {
      return terms_of(t, margin, x, labels).mean();
    };
    const TupletMargin<S> loss({.temperature = t, .margin = margin});
    for (const Batch& batch : small_batches_without_ties(12)) {
      expect_value_and_gradient<S>(batch, loss, want);
    }
    if (sizeof(S) == sizeof(double)) {
      for (const Batch& batch : small_and_large_batches()) {
        SCOPED_TRACE(batch.name);
        // For rows of the same direction, the sine has half of the cosine's digits.
        const Real wanted = want(oracle::exact(batch.x), batch.labels);
        const Matrix<S> x = batch.x.template cast<S>();
        const double got = loss.forward(x, batch.labels).value;
        EXPECT_LE(std::abs(static_cast<Real>(got) - wanted), 1e-6 * std::max<Real>(1, wanted));
      }
    }
  }
}

/// Too many positives to keep their scores.
TEST(TupletMargin, RecomputesScoresWhenPositivesExceedTheMemoryLimit) {
  const Index n = 4300;  // two classes of 2150: 74 MB of positives' scores
  const Matrix<double> x = random_rows<double>(n, 3, 7);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i % 2));
  const TupletMargin<double> loss(
      {.temperature = 0.5, .margin = 0.25, .reduction = Reduction::none});
  const auto got = loss.forward(x, labels);
  const oracle::Matrix exact = oracle::exact(x);
  for (const Index i : {Index(0), Index(383), n - 1}) {
    const auto cosine = [&](Index j) {
      return oracle::Cosine().score(oracle::row(exact, i), oracle::row(exact, j));
    };
    Real negatives = 0;
    Real value = 0;
    for (Index j = 0; j < n; ++j) {
      if ((i - j) % 2 != 0) negatives += std::exp(cosine(j) * 2);
    }
    for (Index j = i % 2; j < n; j += 2) {
      if (j == i) continue;
      const Real shifted = std::cos(std::acos(cosine(j)) - Real(0.25));
      value += std::log1p(negatives * std::exp(-2 * shifted));
    }
    EXPECT_LE(std::abs(static_cast<Real>(got.values[std::size_t(i)]) - value), 1e-9 * value);
  }
}

TEST(TupletMargin, WithoutAMarginIsSincereOverPairs) {
  const Batch batch = batches()[3];
  Matrix<double> dx, of_sincere;
  const auto got = TupletMargin<double>({.temperature = 0.2, .margin = 0})
                       .forward_backward(batch.x, batch.labels, dx);
  const auto want =
      nearfar::Sincere<double>({.temperature = 0.2, .terms = nearfar::SincereTerms::positive_pairs})
          .forward_backward(batch.x, batch.labels, of_sincere);
  EXPECT_EQ(got.value, want.value);
  EXPECT_EQ(got.d_temperature, want.d_temperature);
  EXPECT_EQ(dx, of_sincere);
}

TEST(TupletMargin, HasTheDerivativeOfItsTemperature) {
  const Batch batch = batches()[2];
  const oracle::Matrix x = oracle::exact(batch.x);
  const Slope want([&](Real t) { return terms_of(t, Real(0.25), x, batch.labels).mean(); },
                   Real(0.5));
  Matrix<double> dx;
  const auto got = TupletMargin<double>({.temperature = 0.5, .margin = 0.25})
                       .forward_backward(batch.x, batch.labels, dx);
  expect_derivative(got.d_temperature, want.derivative, "d_temperature");
}

/// Rows of the same direction, and of opposite directions, have no gradient from each other.
TYPED_TEST(TupletMarginOf, RowsOfOneDirectionIsFinite) {
  using S = TypeParam;
  Matrix<S> x(5, 2);
  x << S(1), S(2), S(1), S(2), S(2), S(4), S(-1), S(-2), S(0), S(0);
  Matrix<S> dx;
  const auto got = TupletMargin<S>({.temperature = 0.25, .margin = 0.5})
                       .forward_backward(x, std::vector<int>{0, 0, 1, 0, 1}, dx);
  EXPECT_TRUE(std::isfinite(got.value));
  EXPECT_TRUE(dx.allFinite());
  EXPECT_LE(dx.cwiseAbs().maxCoeff(), S(1e-2));
}

TEST(TupletMargin, CountsPairs) {
  for (const Batch& batch : small_batches_without_ties()) {
    SCOPED_TRACE(batch.name);
    const SumOfTerms want = terms_of(Real(0.5), Real(0.1), oracle::exact(batch.x), batch.labels);
    const auto got = TupletMargin<double>({.temperature = 0.5}).forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, want.terms);
    EXPECT_EQ(got.diagnostics.active_terms, want.nonzero);
  }
}

TEST(TupletMargin, RefusesOptionsOutOfRange) {
  expect_must_be_positive("temperature", [](double v) { TupletMargin<float>({.temperature = v}); });
  const Option margin{"margin", "an angle from 0 to pi/2",
                      [](double v) { TupletMargin<float>({.margin = v}); }};
  expect_refuses(margin, {{-0.1, "-0.1"}, {1.6, "1.6"}, {not_a_number, "nan"}, {infinite, "inf"}});
}

TEST(TupletMargin, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::TupletMarginOptions().temperature, 1.0 / 64);
  EXPECT_EQ(nearfar::TupletMarginOptions().margin, 0.1);
  expect_common_defaults<nearfar::TupletMarginOptions>();
}

}  // namespace
