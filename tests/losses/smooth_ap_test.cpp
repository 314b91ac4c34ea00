#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/smooth_ap.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"
#include "support/score_slopes.hpp"

/// Smooth-AP against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::InnerProduct;
using nearfar::Reduction;
using nearfar::SmoothAp;

Real sigmoid(Real z) { return z < 0 ? std::exp(z) / (1 + std::exp(z)) : 1 / (1 + std::exp(-z)); }

/// Adds anchor i's loss over these keys, which have another label or the same.
void add_anchor(Index i, const std::vector<Index>& keys, const std::vector<bool>& positive,
                const oracle::Matrix& s, Real t, ScoreSlopes& out) {
  const auto count = static_cast<Real>(std::count(positive.begin(), positive.end(), true));
  Real precision = 0;
  for (std::size_t p = 0; p < keys.size(); ++p) {
    if (!positive[p]) continue;
    Real above = 1;
    Real all = 1;
    const auto z = [&](std::size_t k) { return (s(i, keys[k]) - s(i, keys[p])) / t; };
    for (std::size_t k = 0; k < keys.size(); ++k) {
      if (k == p) continue;
      above += positive[k] ? sigmoid(z(k)) : 0;
      all += sigmoid(z(k));
    }
    precision += above / all / count;
    for (std::size_t k = 0; k < keys.size(); ++k) {
      if (k == p) continue;
      const Real by_sigmoid = above / all / all - (positive[k] ? 1 / all : 0);
      const Real slope = by_sigmoid * sigmoid(z(k)) * sigmoid(-z(k)) / t / count;
      out.slopes(i, keys[k]) += slope;
      out.slopes(i, keys[p]) -= slope;
    }
  }
  if (count > 0) out.values[std::size_t(i)] = 1 - precision;
}

template <class S>
class SmoothApOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(SmoothApOf, Scalars);

TYPED_TEST(SmoothApOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Batch& batch : small_and_large_batches()) {
    const Matrix<S> x = batch.x.template cast<S>();
    const Index n = x.rows();
    const oracle::Matrix exact = oracle::exact(x);
    const oracle::Matrix s = exact * exact.transpose();
    for (const bool include_self : {false, true}) {
      for (const double t : {0.5, 0.1}) {
        SCOPED_TRACE(testing::Message()
                     << batch.name << ", temperature " << t << ", include_self " << include_self);
        ScoreSlopes want(std::size_t(n), n);
        Index terms = 0;
        for (Index i = 0; i < n; ++i) {
          std::vector<Index> keys;
          std::vector<bool> positive;
          for (Index j = 0; j < n; ++j) {
            if (j == i && !include_self) continue;
            keys.push_back(j);
            positive.push_back(batch.labels[std::size_t(i)] == batch.labels[std::size_t(j)]);
          }
          terms += std::count(positive.begin(), positive.end(), true) > 0;
          add_anchor(i, keys, positive, s, static_cast<Real>(t), want);
        }
        const SmoothAp<S, InnerProduct> loss(
            {.temperature = t, .include_self = include_self, .reduction = Reduction::none});
        Matrix<S> dx;
        const auto got = loss.forward_backward(x, batch.labels, dx);
        Real largest = 0;
        for (std::size_t i = 0; i < want.values.size(); ++i) {
          EXPECT_LE(std::abs(static_cast<Real>(got.values[i]) - want.values[i]),
                    Tolerance<S>::value);
          largest = std::max(largest, want.values[i]);
        }
        // If no anchor has both kinds, the oracle's subtraction leaves a rounding error.
        if (largest > Real(1e-10)) expect_score_slopes<S>(got, dx, want, x, t);
        EXPECT_EQ(got.diagnostics.terms, terms);
        EXPECT_EQ(loss.forward(x, batch.labels).values, got.values);
        Real sum = 0;
        for (const Real v : want.values) sum += v;
        const auto mean =
            SmoothAp<S, InnerProduct>({.temperature = t, .include_self = include_self})
                .forward(x, batch.labels);
        EXPECT_NEAR(mean.value, static_cast<double>(terms > 0 ? sum / terms : 0),
                    Tolerance<S>::value);
      }
    }
  }
}

TYPED_TEST(SmoothApOf, OfReferencesIsTheSame) {
  using S = TypeParam;
  const Index n = 20;
  const Index m = 420;  // more than a tile
  const Matrix<S> rows = random_rows<S>(n + m, 9, 5);
  const Matrix<S> x = rows.topRows(n);
  const Matrix<S> y = rows.bottomRows(m);
  const std::vector<int> labels = random_labels(n + m, 6, 6);
  const oracle::Matrix exact = oracle::exact(rows);
  const oracle::Matrix s = exact * exact.transpose();
  ScoreSlopes want(std::size_t(n), n + m);
  for (Index i = 0; i < n; ++i) {
    std::vector<Index> keys;
    std::vector<bool> positive;
    for (Index j = n; j < n + m; ++j) {
      keys.push_back(j);
      positive.push_back(labels[std::size_t(i)] == labels[std::size_t(j)]);
    }
    add_anchor(i, keys, positive, s, Real(0.25), want);
  }
  const std::vector<int> of_x(labels.begin(), labels.begin() + n);
  const std::vector<int> of_y(labels.begin() + n, labels.end());
  for (const bool include_self : {false, true}) {  // without effect
    Matrix<S> dx;
    Matrix<S> dy;
    const SmoothAp<S, InnerProduct> loss(
        {.temperature = 0.25, .include_self = include_self, .reduction = Reduction::none});
    const auto got = loss.forward_backward(x, of_x, y, of_y, dx, dy);
    Matrix<S> both(n + m, 9);
    both << dx, dy;
    expect_score_slopes<S>(got, both, want, rows, 0.25);
  }
}

/// Positives far above negatives: the loss is far below the rounding errors of 1 - 1.
TYPED_TEST(SmoothApOf, SmallValuesKeepTheirDigits) {
  using S = TypeParam;
  Matrix<S> x(3, 1);
  x << S(1), S(1), S(-1);
  Matrix<S> dx;
  const double t = 0x1p-4;  // a negative is 2 / t = 32 below
  const auto got = SmoothAp<S, InnerProduct>({.temperature = t, .reduction = Reduction::none})
                       .forward_backward(x, std::vector<int>{0, 0, 1}, dx);
  const double want = std::exp(-32);
  EXPECT_NEAR(got.values[0], want, 2e-6 * want);
  EXPECT_EQ(got.values[2], 0);
  // Anchors 0 and 1 both push the negative away, and attract each other.
  EXPECT_NEAR(static_cast<double>(dx(2, 0)), 2 * want / t, 1e-5 * want / t);
}

TEST(SmoothAp, OfDistancesIsThatOfTheirNegatives) {
  const Matrix<double> x = random_rows<double>(12, 4, 3);
  const std::vector<int> labels = random_labels(12, 3, 4);
  Matrix<double> unit = x;
  for (Index i = 0; i < 12; ++i) unit.row(i).normalize();
  Matrix<double> by_cosine, by_distance;
  const auto cosine =
      SmoothAp<double>({.temperature = 0.25}).forward_backward(unit, labels, by_cosine);
  const auto distance = SmoothAp<double, nearfar::CosineDistance>({.temperature = 0.25})
                            .forward_backward(unit, labels, by_distance);
  EXPECT_NEAR(cosine.value, distance.value, 1e-13);
  EXPECT_NEAR(cosine.d_temperature, distance.d_temperature, 1e-12);
  EXPECT_LE((by_cosine - by_distance).norm(), 1e-12);
}

TEST(SmoothAp, OfAnAnchorAloneCountsWithItself) {
  const Matrix<double> x = random_rows<double>(5, 3, 4);
  const std::vector<int> labels = {0, 1, 2, 3, 4};
  Matrix<double> dx;
  const auto without = SmoothAp<double>().forward_backward(x, labels, dx);
  EXPECT_EQ(without.value, 0);
  EXPECT_EQ(without.diagnostics.terms, 0);
  EXPECT_EQ(dx, (Matrix<double>::Zero(5, 3)));
  const auto with =
      SmoothAp<double>({.temperature = 1, .include_self = true}).forward_backward(x, labels, dx);
  EXPECT_GT(with.value, 0);
  EXPECT_EQ(with.diagnostics.terms, 5);
  EXPECT_EQ(with.diagnostics.anchors_without_positive, 5);
}

TEST(SmoothAp, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature", [](double v) { SmoothAp<float>({.temperature = v}); });
}

TEST(SmoothAp, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::SmoothApOptions().temperature, 0.01);
  EXPECT_EQ(nearfar::SmoothApOptions().include_self, false);
  expect_common_defaults<nearfar::SmoothApOptions>();
}

}  // namespace
