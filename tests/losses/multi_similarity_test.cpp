#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/multi_similarity.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"

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

TEST(MultiSimilarity, RefusesOptionsOutOfRange) {
  using nearfar::MultiSimilarity;
  expect_must_be_positive("alpha", [](double v) { MultiSimilarity<float>({.alpha = v}); });
  expect_must_be_positive("beta", [](double v) { MultiSimilarity<float>({.beta = v}); });
  expect_must_be_finite("base", [](double v) { MultiSimilarity<float>({.base = v}); });
}

TEST(MultiSimilarity, HasTheDefaultsOfItsPage) {
  const nearfar::MultiSimilarityOptions options;
  EXPECT_EQ(options.alpha, 2);
  EXPECT_EQ(options.beta, 50);
  EXPECT_EQ(options.base, 0.5);
  expect_common_defaults<nearfar::MultiSimilarityOptions>();
}

}  // namespace
