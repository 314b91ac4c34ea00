#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/circle.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"

/// Circle loss against plain loops over pairs in long double, its weights constant and
/// differentiated, and its options.

namespace {

using namespace support;
using nearfar::Reduction;

TEST(Circle, EqualsTheFormula) {
  for (const Batch& batch : small_and_large_batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x);
    const Real m = 0.25;
    const Real gamma = 16;
    std::int64_t terms = 0;
    const Real want = over_rows(batch, [&](Index i, const auto& positives, const auto& negatives) {
      if (positives.empty() || negatives.empty()) return Real(0);
      ++terms;
      Real a = 0;
      Real b = 0;
      for (const Index p : positives) {
        a += std::exp(-gamma * std::max<Real>(0, 1 + m - s(i, p)) * (s(i, p) - (1 - m)));
      }
      for (const Index k : negatives) {
        b += std::exp(gamma * std::max<Real>(0, s(i, k) + m) * (s(i, k) - m));
      }
      return std::log(1 + a * b);
    });
    const auto got = nearfar::Circle<double>({.m = 0.25, .gamma = 16, .reduction = Reduction::sum})
                         .forward(batch.x, batch.labels);
    expect_value(got.value, want);
    EXPECT_EQ(got.diagnostics.terms, terms);
  }
}

TEST(Circle, GradientOfConstantWeightsIsThatOfFrozenOnes) {
  // Two rows of a class and one of another, with constant weights by hand.
  const Matrix<double> x = random_rows<double>(7, 4, 8);
  const std::vector<int> labels = {0, 1, 0, 1, 2, 0, 1};
  const nearfar::CircleOptions options{.m = 0.25, .gamma = 4, .reduction = Reduction::sum};
  Matrix<double> frozen_gradient;
  nearfar::Circle<double>(options).forward_backward(x, labels, frozen_gradient);

  Matrix<double> moved = x;
  const oracle::Matrix at = oracle::pairwise(oracle::Cosine(), oracle::exact(x), oracle::exact(x));
  const auto value = [&] {
    const oracle::Matrix y = oracle::exact(moved);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), y, y);
    Real sum = 0;
    for (Index i = 0; i < 7; ++i) {
      Real a = 0;
      Real b = 0;
      for (Index j = 0; j < 7; ++j) {
        if (i == j) continue;
        if (labels[std::size_t(i)] == labels[std::size_t(j)]) {
          a += std::exp(-4 * std::max<Real>(0, Real(1.25) - at(i, j)) * (s(i, j) - Real(0.75)));
        } else {
          b += std::exp(4 * std::max<Real>(0, at(i, j) + Real(0.25)) * (s(i, j) - Real(0.25)));
        }
      }
      if (a > 0 && b > 0) sum += std::log(1 + a * b);
    }
    return static_cast<double>(sum);
  };
  const auto report = nearfar::check_gradient<double>(value, {{"x", moved, frozen_gradient}});
  EXPECT_TRUE(report.passed) << report;
}

/// At a score where the weight is 1, the weight changes with the score, too.
TEST(Circle, DifferentiatedWeightsOfOneGiveTheDerivative) {
  // s(0, 1) = m for a positive, s(0, 2) = 1 - m for a negative, both exactly.
  Matrix<double> x(4, 3);
  x << 1, 0, 0, 0.25, 1, 0.5, 0.75, 0.25, -1, 0.5, -1, 0.25;
  const std::vector<int> labels = {0, 0, 1, 1};
  const nearfar::Circle<double, nearfar::InnerProduct> loss(
      {.m = 0.25, .gamma = 2, .weights = nearfar::CircleWeights::differentiated});
  Matrix<double> dx;
  loss.forward_backward(x, labels, dx);
  const auto report = nearfar::check_gradient<double>([&] { return loss.forward(x, labels).value; },
                                                      {{"x", x, dx}});
  EXPECT_TRUE(report.passed) << report;
  EXPECT_EQ(report.kinks, 0) << report;
}

TEST(Circle, RefusesOptionsOutOfRange) {
  expect_must_be_positive("gamma", [](double v) { nearfar::Circle<float>({.gamma = v}); });
  expect_must_be_finite("m", [](double v) { nearfar::Circle<float>({.m = v}); });
}

TEST(Circle, HasTheDefaultsOfItsPage) {
  const nearfar::CircleOptions options;
  EXPECT_EQ(options.m, 0.4);
  EXPECT_EQ(options.gamma, 80);
  EXPECT_EQ(options.weights, nearfar::CircleWeights::constant);
  expect_common_defaults<nearfar::CircleOptions>();
}

}  // namespace
