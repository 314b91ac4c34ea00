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
    EXPECT_EQ(got.diagnostics.terms, positives + negatives);
    EXPECT_EQ(got.diagnostics.active_terms, active_positives + active_negatives);
  }
}

TEST(LinearContrastiveValues, OfASinglePairOfAKindAreItsHinge) {
  Matrix<double> x(1, 1);
  x << 0;
  Matrix<double> y(2, 1);
  y << 2, 1;
  const auto got =
      nearfar::LinearContrastive<double>({.positive_margin = 0.5, .negative_margin = 4})
          .forward(x, std::vector<int>{1}, y, std::vector<int>{1, 0});
  expect_value(got.value, 1.5 + 3);
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

/// A weight of one is a weight like any other: it changes with its score.
TEST(CircleGradients, OfWeightsOfOneAreDerivatives) {
  // s(0, 1) = m of a positive, s(0, 2) = 1 - m of a negative, both exactly.
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

/// Lifted structure of one set against another, or against itself: the sum over pairs, half of
/// it where a pair is met twice, and how many pairs there are and do not rest.
struct Lifted {
  Real sum = 0;
  std::int64_t pairs = 0;
  std::int64_t active = 0;

  /// `pairs_from(i)` is the first row that i is paired with.
  template <class Label, class PairsFrom>
  Lifted(const oracle::Matrix& d, double margin, const std::vector<Label>& of_x,
         const std::vector<Label>& of_y, const PairsFrom& pairs_from) {
    const auto alike = [&](Index i, Index j) {
      return of_x[std::size_t(i)] == of_y[std::size_t(j)];
    };
    std::vector<Real> of_row(std::size_t(d.rows()), 0);
    std::vector<Real> of_column(std::size_t(d.cols()), 0);
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = 0; j < d.cols(); ++j) {
        if (alike(i, j)) continue;
        of_row[std::size_t(i)] += std::exp(margin - d(i, j));
        of_column[std::size_t(j)] += std::exp(margin - d(i, j));
      }
    }
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = pairs_from(i); j < d.cols(); ++j) {
        if (!alike(i, j)) continue;
        ++pairs;
        const Real negatives = of_row[std::size_t(i)] + of_column[std::size_t(j)];
        if (negatives == 0) continue;
        const Real over = std::max<Real>(std::log(negatives) + d(i, j), 0);
        sum += over * over / 2;
        active += over > 0 ? 1 : 0;
      }
    }
  }

  Real mean() const { return pairs > 0 ? sum / static_cast<Real>(pairs) : 0; }
};

void expect_lifted(const nearfar::Result& got, const Lifted& want) {
  expect_value(got.value, want.mean());
  EXPECT_EQ(got.diagnostics.terms, want.pairs);
  EXPECT_EQ(got.diagnostics.active_terms, want.active);
}

/// Margins so small that pairs rest, all of them, or some.
constexpr double margins[] = {1, -1, -3, -20};

TEST(LiftedStructureValues, AgainstReferencesAreThoseOfTheFormula) {
  const Matrix<double> x = random_rows<double>(33, 17, 8);
  const Matrix<double> y = random_rows<double>(40, 17, 9);
  const oracle::Matrix d =
      oracle::pairwise(oracle::Euclidean(), oracle::exact(x), oracle::exact(y));
  // Of the second labels one row has negatives and the other rows of its class have none.
  std::vector<int> lonely(40, 7);
  std::vector<int> but_one(33, 7);
  but_one[0] = 8;
  for (const auto& [of_x, of_y] : {std::pair(random_labels(33, 4, 10), random_labels(40, 4, 11)),
                                   std::pair(but_one, lonely)}) {
    for (const double margin : margins) {
      const auto got =
          nearfar::LiftedStructure<double>({.margin = margin}).forward(x, of_x, y, of_y);
      expect_lifted(got, Lifted(d, margin, of_x, of_y, [](Index) { return Index(0); }));
    }
  }
}

TEST(LiftedStructureValues, AreThoseOfTheFormula) {
  std::vector<Batch> all = small_and_large_batches();
  // Classes in blocks: a tile may be without a negative.
  Batch sorted = all.back();
  sorted.name = "sorted 400";
  std::sort(sorted.labels.begin(), sorted.labels.end(),
            [](auto a, auto b) { return a / 4 < b / 4; });
  for (auto& label : sorted.labels) label /= 4;
  all.push_back(sorted);
  for (const Batch& batch : all) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix d = distances(oracle::Euclidean(), oracle::exact(batch.x));
    for (const double margin : margins) {
      const auto got =
          nearfar::LiftedStructure<double>({.margin = margin}).forward(batch.x, batch.labels);
      expect_lifted(got,
                    Lifted(d, margin, batch.labels, batch.labels, [](Index i) { return i + 1; }));
    }
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

/// Sums of exponentials of what is measured from the nearest row, or they would overflow.
TEST(SupConValues, OfSharpTemperaturesKeepTheirDigits) {
  const Matrix<double> x = random_rows<double>(40, 5, 12);
  const std::vector<int> labels = random_labels(40, 4, 13);
  const double temperature = 1e-3;
  const auto expect_mean = [&](const auto& kernel, const oracle::Matrix& nearness) {
    const oracle::Matrix s = nearness / Real(temperature);
    Real sum = 0;
    for (Index i = 0; i < 40; ++i) {
      Real best = -std::numeric_limits<Real>::infinity();
      for (Index j = 0; j < 40; ++j) best = i == j ? best : std::max(best, s(i, j));
      Real all = 0;
      Real positives = 0;
      Real count = 0;
      for (Index j = 0; j < 40; ++j) {
        if (i == j) continue;
        all += std::exp(s(i, j) - best);
        if (labels[std::size_t(i)] != labels[std::size_t(j)]) continue;
        positives += s(i, j);
        ++count;
      }
      if (count > 0) sum += best + std::log(all) - positives / count;
    }
    expect_value(nearfar::SupCon<double, std::decay_t<decltype(kernel)>>(
                     {.temperature = temperature, .reduction = Reduction::sum})
                     .forward(x, labels)
                     .value,
                 sum);
  };
  const oracle::Matrix exact = oracle::exact(x);
  expect_mean(nearfar::InnerProduct(), oracle::pairwise(oracle::InnerProduct(), exact, exact));
  expect_mean(nearfar::Euclidean(), -oracle::pairwise(oracle::Euclidean(), exact, exact));
}

}  // namespace
