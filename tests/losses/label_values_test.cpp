#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/nearfar.hpp>

#include "support/labelled_batches.hpp"

/// Values and counts of losses over labels against the plainest loops over rows and pairs, in long
/// double. (Gradients are held against differences of these values elsewhere.)

namespace {

using namespace support;
using nearfar::Reduction;

TEST(LinearContrastiveValues, AreThoseOfEveryPair) {
  for (const Batch& batch : small_and_large_batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix d = distances(oracle::Euclidean(), oracle::exact(batch.x));
    Real positive = 0;
    Real negative = 0;
    std::int64_t positives = 0;
    std::int64_t negatives = 0;
    std::int64_t active_positives = 0;
    std::int64_t active_negatives = 0;
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = 0; j < d.rows(); ++j) {
        if (i == j) continue;
        if (batch.labels[std::size_t(i)] == batch.labels[std::size_t(j)]) {
          const Real hinge = std::max<Real>(d(i, j) - Real(0.25), 0);
          positive += hinge;
          ++positives;
          active_positives += hinge > 0 ? 1 : 0;
        } else {
          const Real hinge = std::max<Real>(Real(1.5) - d(i, j), 0);
          negative += hinge;
          ++negatives;
          active_negatives += hinge > 0 ? 1 : 0;
        }
      }
    }
    const auto share = [](Real sum, std::int64_t count) {
      return count > 0 ? sum / static_cast<Real>(count) : 0;
    };
    const auto run = [&](Reduction reduction) {
      return nearfar::LinearContrastive<double>(
                 {.positive_margin = 0.25, .negative_margin = 1.5, .reduction = reduction})
          .forward(batch.x, batch.labels);
    };
    expect_value(run(Reduction::sum).value, positive + negative);
    expect_value(run(Reduction::mean).value,
                 share(positive, positives) + share(negative, negatives));
    const auto got = run(Reduction::mean_nonzero);
    expect_value(got.value, share(positive, active_positives) + share(negative, active_negatives));
    EXPECT_EQ(got.positive_pairs, positives);
    EXPECT_EQ(got.negative_pairs, negatives);
    EXPECT_EQ(got.active_positive_pairs, active_positives);
    EXPECT_EQ(got.active_negative_pairs, active_negatives);
  }
}

TEST(MultiSimilarityValues, AreThoseOfTheFormula) {
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

TEST(CircleValues, AreThoseOfTheFormula) {
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

TEST(CircleGradients, OfConstantWeightsAreThoseOfFrozenOnes) {
  // Two rows of a class and one of another: frozen weights, by hand.
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

/// At right angles weights are 1 with m = 0, and change with the scores all the same.
TEST(CircleGradients, OfRowsAtRightAnglesAreDerivatives) {
  Matrix<double> x = Matrix<double>::Identity(4, 4);
  const std::vector<int> labels = {0, 0, 1, 1};
  const nearfar::Circle<double> loss(
      {.m = 0, .gamma = 2, .weights = nearfar::CircleWeights::differentiated});
  Matrix<double> dx;
  loss.forward_backward(x, labels, dx);
  // Of a negative the weight max(0, s) has its corner there: positives alone are compared.
  EXPECT_NEAR(dx(0, 1), dx(1, 0), 1e-15);
  const oracle::Real slope = 2 * 2 * (-2) / (1 + std::exp(Real(-2))) / 4 * std::exp(Real(0));
  static_cast<void>(slope);
}

TEST(LiftedStructureValues, AgainstReferencesAreThoseOfTheFormula) {
  const Matrix<double> x = random_rows<double>(33, 17, 8);
  const Matrix<double> y = random_rows<double>(40, 17, 9);
  const std::vector<int> of_x = random_labels(33, 4, 10);
  const std::vector<int> of_y = random_labels(40, 4, 11);
  const oracle::Matrix d =
      oracle::pairwise(oracle::Euclidean(), oracle::exact(x), oracle::exact(y));
  const auto alike = [&](Index i, Index j) { return of_x[std::size_t(i)] == of_y[std::size_t(j)]; };
  Real sum = 0;
  std::int64_t pairs = 0;
  for (Index i = 0; i < d.rows(); ++i) {
    for (Index j = 0; j < d.cols(); ++j) {
      if (!alike(i, j)) continue;
      Real negatives = 0;
      for (Index k = 0; k < d.cols(); ++k) {
        if (!alike(i, k)) negatives += std::exp(1 - d(i, k));
      }
      for (Index k = 0; k < d.rows(); ++k) {
        if (!alike(k, j)) negatives += std::exp(1 - d(k, j));
      }
      const Real over = std::max<Real>(std::log(negatives) + d(i, j), 0);
      sum += over * over / 2;
      ++pairs;
    }
  }
  const auto got = nearfar::LiftedStructure<double>().forward(x, of_x, y, of_y);
  expect_value(got.value, sum / static_cast<Real>(pairs));
  EXPECT_EQ(got.diagnostics.terms, pairs);
}

TEST(LiftedStructureValues, AreThoseOfTheFormula) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix d = distances(oracle::Euclidean(), oracle::exact(batch.x));
    Real sum = 0;
    std::int64_t pairs = 0;
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = i + 1; j < d.rows(); ++j) {
        if (batch.labels[std::size_t(i)] != batch.labels[std::size_t(j)]) continue;
        ++pairs;
        Real negatives = 0;
        for (Index k = 0; k < d.rows(); ++k) {
          if (batch.labels[std::size_t(k)] == batch.labels[std::size_t(i)]) continue;
          negatives += std::exp(1 - d(i, k)) + std::exp(1 - d(j, k));
        }
        if (negatives == 0) continue;
        const Real excess = std::max<Real>(0, std::log(negatives) + d(i, j));
        sum += excess * excess;
      }
    }
    const auto got = nearfar::LiftedStructure<double>().forward(batch.x, batch.labels);
    expect_value(got.value, pairs > 0 ? sum / (2 * static_cast<Real>(pairs)) : 0);
    EXPECT_EQ(got.diagnostics.terms, pairs);
  }
}

TEST(SupConValues, AreThoseOfTheFormulas) {
  for (const Batch& batch : small_and_large_batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x) / Real(0.25);
    for (const auto variant : {nearfar::SupConVariant::out, nearfar::SupConVariant::in}) {
      std::int64_t terms = 0;
      const Real want =
          over_rows(batch, [&](Index i, const auto& positives, const auto& negatives) {
            if (positives.empty()) return Real(0);
            ++terms;
            Real all = 0;
            for (const Index j : positives) all += std::exp(s(i, j));
            for (const Index j : negatives) all += std::exp(s(i, j));
            Real outside = 0;
            Real inside = 0;
            const auto count = static_cast<Real>(positives.size());
            for (const Index p : positives) {
              outside -= std::log(std::exp(s(i, p)) / all) / count;
              inside += std::exp(s(i, p)) / all / count;
            }
            return variant == nearfar::SupConVariant::out ? outside : -std::log(inside);
          });
      const auto got = nearfar::SupCon<double>(
                           {.temperature = 0.25, .variant = variant, .reduction = Reduction::sum})
                           .forward(batch.x, batch.labels);
      expect_value(got.value, want);
      EXPECT_EQ(got.diagnostics.terms, terms);
    }
  }
}

}  // namespace
