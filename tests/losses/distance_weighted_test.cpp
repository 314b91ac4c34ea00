#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/mined_triplet.hpp>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// Negatives drawn by their distance: from the right distribution, again and again the same, and
/// with the gradient of the triplets drawn.

namespace {

using namespace support;
using nearfar::DistanceWeighting;
using nearfar::MinedTriplet;
using nearfar::MinedTripletOptions;
using nearfar::Mining;
using nearfar::Reduction;

MinedTripletOptions drawing(DistanceWeighting weighting) {
  return {.margin = 0.2,
          .form = nearfar::TripletForm::soft,
          .mining = Mining::distance_weighted,
          .weighting = weighting,
          .reduction = Reduction::sum};
}

template <class S>
class DistanceWeighted : public testing::Test {};
TYPED_TEST_SUITE(DistanceWeighted, Scalars, CaseNames);

/// One anchor, one positive and negatives from very near to the other end of the sphere: the one
/// drawn is the one that has a gradient.
TYPED_TEST(DistanceWeighted, DrawsNegativesByTheInverseOfTheirDensity) {
  using S = TypeParam;
  constexpr Index depth = 5;
  constexpr int negatives = 12;
  constexpr int draws = 6000;
  const DistanceWeighting bounds;
  Matrix<S> anchor = Matrix<S>::Zero(1, depth);
  anchor(0, 0) = 1;
  Matrix<S> others = Matrix<S>::Zero(negatives + 1, depth);
  std::vector<int> labels(negatives + 1, 0);
  labels[0] = 1;
  others(0, 0) = 1;
  std::vector<double> expected(negatives + 1, 0);
  double total = 0;
  for (int j = 1; j <= negatives; ++j) {
    const double distance = 0.15 * j;  // of points of the unit sphere
    const double angle = 2 * std::asin(distance / 2);
    others(j, 0) = static_cast<S>(std::cos(angle));
    others(j, 1 + j % 4) = static_cast<S>(std::sin(angle));
    if (distance >= bounds.farthest) continue;
    const double d = std::max(distance, bounds.nearest);
    expected[static_cast<std::size_t>(j)] =
        1 / (std::pow(d, depth - 2) * std::pow(1 - d * d / 4, (depth - 3) / 2.0));
    total += expected[static_cast<std::size_t>(j)];
  }
  std::vector<int> seen(negatives + 1, 0);
  Matrix<S> d_others;
  nearfar::Workspace workspace(1);
  for (int step = 0; step < draws; ++step) {
    const MinedTriplet<S> loss(drawing({.seed = 3, .step = static_cast<std::uint64_t>(step)}));
    const auto result =
        loss.forward_backward(anchor, std::vector<int>{1}, others, labels, nearfar::no_gradient,
                              d_others, {.workspace = &workspace});
    ASSERT_EQ(result.diagnostics.terms, 1);
    int drawn = 0;
    for (int j = 1; j <= negatives; ++j) {
      if (d_others.row(j).norm() > 0) {
        ++seen[static_cast<std::size_t>(j)];
        ++drawn;
      }
    }
    ASSERT_EQ(drawn, 1);
  }
  double chi_square = 0;
  int cells = 0;
  for (std::size_t j = 1; j <= negatives; ++j) {
    const double mean = draws * expected[j] / total;
    if (expected[j] == 0) {
      EXPECT_EQ(seen[j], 0) << "negative " << j << " is too far away to be drawn";
      continue;
    }
    ++cells;
    chi_square += (seen[j] - mean) * (seen[j] - mean) / mean;
  }
  // The draws are the same in every run; a right sampler passes this bound 999 times of 1000.
  ASSERT_EQ(cells, 9);
  EXPECT_LT(chi_square, 26.1);
}

/// Each pair of an anchor and a positive has a negative, from the negatives even when all of them
/// are too far; and the value is that of the triplets, so its derivative is the gradient.
TYPED_TEST(DistanceWeighted, IsALossOfAsManyTripletsAsPairs) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(24, 6, 81);
  const std::vector<int> labels = random_labels(24, 4, 82);
  for (const double farthest : {1.4, 0.6}) {
    SCOPED_TRACE(farthest);
    const MinedTriplet<S> loss(drawing({.seed = 5, .farthest = farthest}));
    Matrix<S> dx;
    const auto result = loss.forward_backward(x, labels, dx);
    std::int64_t pairs = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      for (std::size_t j = 0; j < labels.size(); ++j) {
        pairs += i != j && labels[i] == labels[j] ? 1 : 0;
      }
    }
    EXPECT_EQ(result.diagnostics.terms, pairs);
    EXPECT_EQ(loss.forward(x, labels).value, result.value);
    if (sizeof(S) == sizeof(float)) continue;  // differences can't tell a redraw from rounding
    nearfar::GradientCheckOptions options;
    options.step = 1e-6;
    const auto report = nearfar::check_gradient<S>([&] { return loss.forward(x, labels).value; },
                                                   {{"x", x, dx}}, options);
    EXPECT_TRUE(report.passed) << report;
    EXPECT_GE(report.checked, x.size() - 4) << report;
  }
}

TYPED_TEST(DistanceWeighted, IsAFunctionOfSeedAndStep) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(130, 19, 83);
  const std::vector<int> labels = random_labels(130, 9, 84);
  const auto run = [&](DistanceWeighting weighting, int threads) {
    nearfar::Workspace workspace(threads);
    Matrix<S> dx;
    const MinedTriplet<S, nearfar::Cosine> loss(drawing(weighting));
    const double value = loss.forward_backward(x, labels, dx, {.workspace = &workspace}).value;
    return std::pair(value, dx);
  };
  const auto want = run({.seed = 1, .step = 2}, 1);
  for (const int threads : {1, 2, 3, 7}) {
    const auto got = run({.seed = 1, .step = 2}, threads);
    EXPECT_EQ(got.first, want.first);
    EXPECT_TRUE(same_bits<S>(got.second, want.second)) << threads << " threads";
  }
  EXPECT_NE(run({.seed = 1, .step = 3}, 1).first, want.first);
  EXPECT_NE(run({.seed = 2, .step = 2}, 1).first, want.first);
}

}  // namespace
