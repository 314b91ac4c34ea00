#include <gtest/gtest.h>

#include <algorithm>
#include <nearfar/losses/linear_contrastive.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"

/// The linear contrastive loss against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::Reduction;

TEST(LinearContrastive, EqualsTheSumOverAllPairs) {
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

TEST(LinearContrastive, OfOnePairOfEachKindIsTheirHinges) {
  Matrix<double> x(1, 1);
  x << 0;
  Matrix<double> y(2, 1);
  y << 2, 1;
  const auto got =
      nearfar::LinearContrastive<double>({.positive_margin = 0.5, .negative_margin = 4})
          .forward(x, std::vector<int>{1}, y, std::vector<int>{1, 0});
  expect_value(got.value, 1.5 + 3);
}

TEST(LinearContrastive, RefusesMarginsThatAreNotFinite) {
  using nearfar::LinearContrastive;
  expect_must_be_finite("positive_margin",
                        [](double v) { LinearContrastive<float>({.positive_margin = v}); });
  expect_must_be_finite("negative_margin",
                        [](double v) { LinearContrastive<float>({.negative_margin = v}); });
}

TEST(LinearContrastive, HasTheDefaultsOfItsPage) {
  const nearfar::LinearContrastiveOptions options = nearfar::LinearContrastive<float>().options();
  EXPECT_EQ(options.positive_margin, 0);
  EXPECT_EQ(options.negative_margin, 1);
  expect_common_defaults<nearfar::LinearContrastiveOptions>(Reduction::mean_nonzero);
}

}  // namespace
