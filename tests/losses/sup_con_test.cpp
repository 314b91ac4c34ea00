#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/sup_con.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"
#include "support/two_views.hpp"

/// SupCon against plain loops over pairs in long double and against NT-Xent, and its options.

namespace {

using namespace support;
using nearfar::Reduction;

TEST(SupCon, EqualsTheFormulas) {
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

/// Exponentials are relative to the nearest row; otherwise they would overflow.
TEST(SupCon, SharpTemperaturesKeepTheirDigits) {
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

TEST(SupCon, OfTwoViewsWithoutSharedLabelsIsNtXent) {
  const TwoViews v(33, 1);
  Matrix<double> all(66, 17);
  all << v.a, v.b;
  std::vector<int> labels;
  for (int i = 0; i < 66; ++i) labels.push_back(i % 33);
  const double of_views = nearfar::NtXent<double>({.temperature = 0.3}).forward(v.a, v.b).value;
  for (const auto variant : {nearfar::SupConVariant::out, nearfar::SupConVariant::in}) {
    EXPECT_NEAR(nearfar::SupCon<double>({.temperature = 0.3, .variant = variant})
                    .forward(all, labels)
                    .value,
                of_views, 1e-12 * of_views);
  }
}

TEST(SupCon, OfEqualScoresIsTheLogarithmOfTheNumberOfTerms) {
  const Matrix<double> x = Matrix<double>::Ones(12, 3);
  EXPECT_NEAR(nearfar::SupCon<double>().forward(x, std::vector<int>(12, 3)).value, std::log(11.0),
              1e-12);
}

TEST(SupCon, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature",
                          [](double v) { nearfar::SupCon<float>({.temperature = v}); });
}

TEST(SupCon, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::SupConOptions().temperature, 0.1);
  EXPECT_EQ(nearfar::SupConOptions().variant, nearfar::SupConVariant::out);
  expect_common_defaults<nearfar::SupConOptions>();
}

}  // namespace
