#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/core/random.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <utility>
#include <vector>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// Negatives drawn by their distance: from the right distribution, reproducibly, and with the
/// gradient of the drawn triplets.

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

/// One anchor and keys on a great circle of the unit sphere, at these distances from it. Those with
/// one index are its positive, all others negatives.
template <class S>
struct OneAnchor {
  OneAnchor(Index depth, std::vector<double> at, Index of_positive)
      : distances(std::move(at)),
        positive(of_positive),
        row(Matrix<S>::Zero(1, depth)),
        keys(Matrix<S>::Zero(static_cast<Index>(distances.size()), depth)),
        labels(distances.size(), 0) {
    row(0, 0) = 1;
    labels[static_cast<std::size_t>(positive)] = 1;
    for (std::size_t j = 0; j < distances.size(); ++j) {
      const double angle = 2 * std::asin(distances[j] / 2);
      keys(static_cast<Index>(j), 0) = static_cast<S>(std::cos(angle));
      keys(static_cast<Index>(j), depth - 1) = static_cast<S>(std::sin(angle));
    }
  }

  template <class K>
  nearfar::MinedTripletResult call(const MinedTripletOptions& options, Matrix<S>& d_keys) const {
    return MinedTriplet<S, K>(options).forward_backward(row, std::vector<int>{1}, keys, labels,
                                                        nearfar::no_gradient, d_keys);
  }

  /// The drawn negative: the one with a gradient, because the soft margin has no zero gradients.
  template <class K>
  Index drawn(const DistanceWeighting& weighting) const {
    Matrix<S> d_keys;
    EXPECT_EQ(call<K>(drawing(weighting), d_keys).diagnostics.terms, 1);
    Index found = -1;
    for (Index j = 0; j < keys.rows(); ++j) {
      if (j == positive || d_keys.row(j).norm() == 0) continue;
      EXPECT_EQ(found, -1) << "two negatives have gradients";
      found = j;
    }
    return found;
  }

  std::vector<double> distances;
  Index positive;
  Matrix<S> row;
  Matrix<S> keys;
  std::vector<int> labels;
};

/// The first negative at which the sum of weights exceeds the drawn number, or -1 if rounding
/// errors decide.
template <class S>
Index wanted_draw(const OneAnchor<S>& anchor, const DistanceWeighting& w) {
  const auto depth = static_cast<long double>(anchor.row.cols());
  std::vector<long double> weights;
  long double total = 0;
  for (const bool alike : {false, true}) {
    weights.clear();
    for (std::size_t j = 0; j < anchor.distances.size(); ++j) {
      const long double d = std::max(anchor.distances[j], w.nearest);
      const bool can_be = static_cast<Index>(j) != anchor.positive && (alike || d < w.farthest);
      const long double q =
          alike ? 1 : std::pow(d, depth - 2) * std::pow(1 - d * d / 4, (depth - 3) / 2);
      weights.push_back(can_be ? 1 / q : 0);
      total += weights.back();
    }
    if (total > 0) break;
  }
  const auto bits =
      nearfar::random_bits(w.seed, w.step, 0, static_cast<std::uint64_t>(anchor.positive));
  const long double at = nearfar::unit_interval(bits[0]);
  long double sum = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    sum += weights[j] / total;
    if (std::abs(sum - at) < 2e-3L) return -1;
    if (sum > at) return static_cast<Index>(j);
  }
  return -1;
}

/// The draw follows from the formula and the random number of seed, step, anchor and positive.
TYPED_TEST(DistanceWeighted, DrawsByTheInverseOfTheDensityOfDistances) {
  using S = TypeParam;
  const std::vector<double> spread = {0.3, 1.35, 0.9, 0.15, 1.5, 0.75, 1.2, 0.4, 1.65, 0.6, 1.05};
  const std::vector<double> near = {0.5003, 0.4, 0.5, 0.5006, 0.3};
  const std::vector<std::pair<OneAnchor<S>, DistanceWeighting>> cases = {
      {{5, spread, 3}, {}},
      {{2, spread, 0}, {.nearest = 0.2, .farthest = 1.6}},
      {{9, spread, 5}, {.nearest = 0.85}},
      // Weights that only have logarithms in double.
      {{1100, near, 2}, {}},
      // All of them too far: equal probabilities.
      {{5, spread, 10}, {.nearest = 0.05, .farthest = 0.1}},
  };
  int compared = 0;
  for (const auto& [anchor, bounds] : cases) {
    SCOPED_TRACE(anchor.row.cols());
    for (std::uint64_t step = 0; step < 300; ++step) {
      DistanceWeighting weighting = bounds;
      weighting.seed = 3;
      weighting.step = step;
      const Index wanted = wanted_draw(anchor, weighting);
      if (wanted < 0) continue;
      ASSERT_EQ(anchor.template drawn<nearfar::Euclidean>(weighting), wanted);
      ASSERT_EQ(anchor.template drawn<nearfar::SquaredEuclidean>(weighting), wanted);
      ASSERT_EQ(anchor.template drawn<nearfar::CosineDistance>(weighting), wanted);
      ASSERT_EQ(anchor.template drawn<nearfar::Cosine>(weighting), wanted);
      ASSERT_EQ(anchor.template drawn<nearfar::InnerProduct>(weighting), wanted);
      ++compared;
    }
  }
  EXPECT_GT(compared, 1400);
}

/// The numbers from seeds and steps act as random ones: draws have the frequencies of the weights.
TYPED_TEST(DistanceWeighted, DrawsInSharesOfTheWeights) {
  using S = TypeParam;
  const OneAnchor<S> anchor(3, {0.6, 0.7, 0.9, 1.1, 1.3, 1.5}, 0);
  constexpr int draws = 4000;
  std::vector<int> seen(anchor.distances.size(), 0);
  for (std::uint64_t step = 0; step < draws; ++step) {
    ++seen[static_cast<std::size_t>(
        anchor.template drawn<nearfar::Euclidean>({.seed = 3, .step = step}))];
  }
  const auto share = [&](std::size_t j) {
    const double inverse = 1 / anchor.distances[j];
    return inverse / (1 / 0.7 + 1 / 0.9 + 1 / 1.1 + 1 / 1.3);
  };
  double chi_square = 0;
  for (const std::size_t j : {1u, 2u, 3u, 4u}) {
    const double mean = draws * share(j);
    chi_square += (seen[j] - mean) * (seen[j] - mean) / mean;
  }
  // The draws are the same in every run; a correct sampler passes this bound 999 times of 1000.
  EXPECT_LT(chi_square, 16.3);
  EXPECT_EQ(seen[5], 0) << "too far away to be drawn";
}

TYPED_TEST(DistanceWeighted, DrawsNoNegativeAtExactlyTheFarthestDistance) {
  using S = TypeParam;
  OneAnchor<S> anchor(4, {0.9, 0, 1}, 1);
  anchor.row.setZero();
  anchor.keys.setZero();
  anchor.keys(0, 0) = S(0.875);
  anchor.keys(2, 1) = 1;
  for (std::uint64_t step = 0; step < 100; ++step) {
    ASSERT_EQ(anchor.template drawn<nearfar::Euclidean>({.step = step, .farthest = 1}), 0);
  }
}

/// The hinge takes the same draws as the soft margin and counts its active ones; the counts of
/// kinds are of all triplets.
TYPED_TEST(DistanceWeighted, CountsDrawnTripletsAndKindsOfAllTriplets) {
  using S = TypeParam;
  const OneAnchor<S> anchor(5, {0.3, 1.35, 0.9, 0.6, 1.5, 0.75, 1.2, 0.4}, 3);
  std::int64_t active = 0;
  constexpr std::int64_t draws = 200;
  for (std::uint64_t step = 0; step < draws; ++step) {
    MinedTripletOptions options = drawing({.step = step});
    const Index drawn = anchor.template drawn<nearfar::Euclidean>(options.weighting);
    options.form = nearfar::TripletForm::hinge;
    Matrix<S> d_keys;
    const auto got = anchor.template call<nearfar::Euclidean>(options, d_keys);
    const double cost =
        std::max(0.6 - anchor.distances[static_cast<std::size_t>(drawn)] + options.margin, 0.0);
    EXPECT_NEAR(got.value, cost, 1e-6);
    EXPECT_EQ(got.diagnostics.terms, 1);
    EXPECT_EQ(got.diagnostics.active_terms, cost > 0 ? 1 : 0);
    EXPECT_EQ(got.hard_triplets, 2);
    EXPECT_EQ(got.semihard_triplets, 1);
    EXPECT_EQ(got.easy_triplets, 4);
    active += got.diagnostics.active_terms;
  }
  EXPECT_GT(active, 0);
  EXPECT_LT(active, draws);
}

TYPED_TEST(DistanceWeighted, HasNoTripletsWithoutAPositiveOrANegative) {
  using S = TypeParam;
  OneAnchor<S> anchor(5, {0.3, 0.9, 0.6}, 0);
  for (const int label : {0, 1}) {
    std::fill(anchor.labels.begin(), anchor.labels.end(), label);
    Matrix<S> d_keys;
    const auto got = anchor.template call<nearfar::Euclidean>(drawing({}), d_keys);
    EXPECT_EQ(got.value, 0);
    EXPECT_EQ(got.diagnostics.terms, 0);
    EXPECT_EQ(got.diagnostics.active_terms, 0);
    EXPECT_EQ(got.hard_triplets + got.semihard_triplets + got.easy_triplets, 0);
    EXPECT_TRUE(d_keys.isZero(0));
  }
}

/// Each pair of an anchor and a positive has a negative, also if all of them are too far. The value
/// is that of the triplets, so the gradient is its derivative.
TYPED_TEST(DistanceWeighted, DrawsANegativeForEachPositivePair) {
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
    if (sizeof(S) == sizeof(float)) continue;  // a changed draw looks like a rounding error
    nearfar::GradientCheckOptions options;
    options.step = 1e-6;
    const auto report = nearfar::check_gradient<S>([&] { return loss.forward(x, labels).value; },
                                                   {{"x", x, dx}}, options);
    EXPECT_TRUE(report.passed) << report;
    EXPECT_GE(report.checked, x.size() - 4) << report;
  }
}

TYPED_TEST(DistanceWeighted, DependsOnSeedAndStepAlone) {
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
