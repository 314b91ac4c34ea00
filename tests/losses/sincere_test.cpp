#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/sincere.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"
#include "support/score_slopes.hpp"

/// SINCERE against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::InnerProduct;
using nearfar::Reduction;
using nearfar::Sincere;
using nearfar::SincereTerms;

/// Loss and derivatives of every anchor, and the number of pairs with a loss above 0.
struct Oracle : ScoreSlopes {
  std::int64_t terms = 0;
  std::int64_t active = 0;

  Oracle(const std::vector<std::int64_t>& labels, const oracle::Matrix& s, Real t,
         SincereTerms kind)
      : ScoreSlopes(labels.size(), s.rows()) {
    const Index n = s.rows();
    for (Index i = 0; i < n; ++i) {
      const auto same = [&](Index j) { return labels[std::size_t(i)] == labels[std::size_t(j)]; };
      Index positives = 0;
      for (Index j = 0; j < n; ++j) positives += j != i && same(j);
      const bool anchors = kind == SincereTerms::anchors;
      if (positives > 0) terms += anchors ? 1 : positives;
      Real& value = values[std::size_t(i)];
      const auto exponential = [&](Index j) { return std::exp(s(i, j) / t); };
      Real negatives = 0;
      for (Index j = 0; j < n; ++j) negatives += same(j) ? 0 : exponential(j);
      const Real share = anchors ? 1 / static_cast<Real>(positives) : 1;
      Real of_negatives = 0;
      for (Index p = 0; p < n; ++p) {
        if (p == i || !same(p)) continue;
        value += share * std::log1p(negatives / exponential(p));
        slopes(i, p) = -share * negatives / (exponential(p) + negatives) / t;
        of_negatives += share / (exponential(p) + negatives) / t;
        if (!anchors) active += negatives > 0;
      }
      for (Index j = 0; j < n; ++j) {
        if (!same(j)) slopes(i, j) = of_negatives * exponential(j);
      }
      if (anchors) active += value > 0;
    }
  }
};

template <class S>
class SincereOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(SincereOf, Scalars);

TYPED_TEST(SincereOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Batch& batch : small_and_large_batches()) {
    const Matrix<S> x = batch.x.template cast<S>();
    const oracle::Matrix exact = oracle::exact(x);
    for (const SincereTerms terms : {SincereTerms::anchors, SincereTerms::positive_pairs}) {
      for (const double t : {0.5, 0.1}) {
        SCOPED_TRACE(testing::Message() << batch.name << ", temperature " << t);
        const Oracle want(batch.labels, exact * exact.transpose(), static_cast<Real>(t), terms);
        const Sincere<S, InnerProduct> loss(
            {.temperature = t, .terms = terms, .reduction = Reduction::none});
        Matrix<S> dx;
        const auto got = loss.forward_backward(x, batch.labels, dx);
        expect_score_slopes<S>(got, dx, want, x, t);
        EXPECT_EQ(got.diagnostics.terms, want.terms);
        EXPECT_EQ(got.diagnostics.active_terms, want.active);
        EXPECT_EQ(loss.forward(x, batch.labels).values, got.values);
      }
    }
  }
}

TYPED_TEST(SincereOf, OfReferencesIsTheSame) {
  using S = TypeParam;
  const Index n = 50;
  const Index m = 420;  // more than a tile
  const Matrix<S> rows = random_rows<S>(n + m, 9, 5);
  const Matrix<S> x = rows.topRows(n);
  const Matrix<S> y = rows.bottomRows(m);
  std::vector<std::int64_t> labels;
  for (const int label : random_labels(n + m, 6, 6)) labels.push_back(label);
  const oracle::Matrix exact = oracle::exact(rows);
  const oracle::Matrix s = exact * exact.transpose();
  const Real t = Real(0.25);
  ScoreSlopes want(std::size_t(n), n + m);
  for (Index i = 0; i < n; ++i) {
    const auto same = [&](Index j) { return labels[std::size_t(i)] == labels[std::size_t(j)]; };
    Real positives = 0;
    Real negatives = 0;
    for (Index j = n; j < n + m; ++j) {
      positives += same(j) ? 1 : 0;
      negatives += same(j) ? 0 : std::exp(s(i, j) / t);
    }
    Real of_negatives = 0;
    for (Index p = n; p < n + m; ++p) {
      if (!same(p)) continue;
      const Real own = std::exp(s(i, p) / t);
      want.values[std::size_t(i)] += std::log1p(negatives / own) / positives;
      want.slopes(i, p) = -negatives / (own + negatives) / t / positives;
      of_negatives += 1 / (own + negatives) / t / positives;
    }
    for (Index j = n; j < n + m; ++j) {
      if (!same(j)) want.slopes(i, j) = of_negatives * std::exp(s(i, j) / t);
    }
  }
  const std::vector<std::int64_t> of_x(labels.begin(), labels.begin() + n);
  const std::vector<std::int64_t> of_y(labels.begin() + n, labels.end());
  Matrix<S> dx;
  Matrix<S> dy;
  const Sincere<S, InnerProduct> loss({.temperature = 0.25, .reduction = Reduction::none});
  const auto got = loss.forward_backward(x, of_x, y, of_y, dx, dy);
  Matrix<S> both(n + m, 9);
  both << dx, dy;
  expect_score_slopes<S>(got, both, want, rows, 0.25);
}

/// Too many positives to keep their scores.
TEST(Sincere, RecomputesScoresWhenPositivesExceedTheMemoryLimit) {
  const Index n = 4300;  // two classes of 2150: 74 MB of positives' scores
  const Matrix<double> x = random_rows<double>(n, 3, 7);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i % 2));
  const Sincere<double, InnerProduct> loss({.temperature = 0.5, .reduction = Reduction::none});
  Matrix<double> dx;
  const auto got = loss.forward_backward(x, labels, dx);
  EXPECT_EQ(got.diagnostics.terms, n);
  const oracle::Matrix exact = oracle::exact(x);
  for (const Index i : {Index(0), Index(383), n - 1}) {
    const std::vector<Real> s = oracle::product(exact, oracle::row(exact, i));
    Real negatives = 0;
    for (Index j = 0; j < n; ++j) {
      if ((i - j) % 2 != 0) negatives += std::exp(s[std::size_t(j)] / Real(0.5));
    }
    Real value = 0;
    for (Index j = i % 2; j < n; j += 2) {
      if (j != i) value += std::log1p(negatives / std::exp(s[std::size_t(j)] / Real(0.5)));
    }
    expect_value(got.values[std::size_t(i)], value / (n / 2 - 1));
  }
  // Along one direction, the gradient is the slope of the value.
  Matrix<double> moved = x;
  const Matrix<double> direction = random_rows<double>(n, 3, 8);
  const double h = 1e-5;
  const auto value = [&](double step) {
    moved = x + step * direction;
    return Sincere<double, InnerProduct>({.temperature = 0.5, .reduction = Reduction::sum})
        .forward(moved, labels)
        .value;
  };
  const double slope = (value(h) - value(-h)) / (2 * h);
  EXPECT_NEAR(dx.cwiseProduct(direction).sum(), slope, 1e-6 * std::abs(slope));
}

TEST(Sincere, OfTwoViewsWithoutSharedLabelsIsNtXent) {
  const Matrix<double> a = random_rows<double>(33, 17, 21);
  const Matrix<double> b = random_rows<double>(33, 17, 22);
  Matrix<double> all(66, 17);
  all << a, b;
  std::vector<int> labels;
  for (int i = 0; i < 66; ++i) labels.push_back(i % 33);
  Matrix<double> da, db, dx;
  const auto views = nearfar::NtXent<double>({.temperature = 0.3}).forward_backward(a, b, da, db);
  const auto got = Sincere<double>({.temperature = 0.3}).forward_backward(all, labels, dx);
  EXPECT_NEAR(got.value, views.value, 1e-12 * views.value);
  EXPECT_NEAR(got.d_temperature, views.d_temperature, 1e-11);
  EXPECT_LE((dx.topRows(33) - da).norm(), 1e-12);
}

TEST(Sincere, OfAnchorsWithoutANegativeIsZero) {
  const Matrix<double> x = random_rows<double>(9, 3, 4);
  Matrix<double> dx;
  const auto got = Sincere<double>().forward_backward(x, std::vector<int>(9, 1), dx);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.d_temperature, 0);
  EXPECT_EQ(got.diagnostics.terms, 9);
  EXPECT_EQ(got.diagnostics.active_terms, 0);
  EXPECT_EQ(dx, (Matrix<double>::Zero(9, 3)));
}

/// Negatives far above and far below the positives: sums relative to the nearest do not overflow.
TYPED_TEST(SincereOf, SharpTemperaturesKeepTheirDigits) {
  using S = TypeParam;
  Matrix<S> x(4, 2);
  x << S(1), S(0), S(0.5), S(0), S(0.75), S(0), S(-1), S(0);
  const std::vector<int> labels = {0, 0, 1, 1};
  const double t = 0x1p-8;
  const auto got =
      Sincere<S, InnerProduct>({.temperature = t, .reduction = Reduction::none}).forward(x, labels);
  // The positive's score less the best negative's: 1/2 - 3/4; 1/2 - 3/8; -3/4 - 3/4; -3/4 + 1/2.
  EXPECT_NEAR(got.values[0], 0.25 / t, 1e-6);
  EXPECT_NEAR(got.values[1], std::exp(-0.125 / t), 1e-5 * std::exp(-0.125 / t));
  EXPECT_NEAR(got.values[2], 1.5 / t, 1e-6);
  EXPECT_NEAR(got.values[3], 0.25 / t, 1e-6);
}

TEST(Sincere, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature", [](double v) { Sincere<float>({.temperature = v}); });
}

TEST(Sincere, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::SincereOptions().temperature, 0.1);
  EXPECT_EQ(nearfar::SincereOptions().terms, SincereTerms::anchors);
  expect_common_defaults<nearfar::SincereOptions>();
}

}  // namespace
