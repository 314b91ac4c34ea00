#include <gtest/gtest.h>

#include <nearfar/sampling/noise_sampler.hpp>

#include "support/errors.hpp"

namespace {

using nearfar::Index;
using nearfar::NoiseSampler;
using namespace support;

/// Chi-squared of draws and probabilities, over items of positive probability.
double chi_squared(const NoiseSampler& noise, std::vector<Index> drawn) {
  std::vector<double> counts(static_cast<std::size_t>(noise.size()), 0);
  for (const Index item : drawn) counts[static_cast<std::size_t>(item)] += 1;
  double sum = 0;
  for (Index i = 0; i < noise.size(); ++i) {
    const double expected = noise.probability(i) * static_cast<double>(drawn.size());
    const double count = counts[static_cast<std::size_t>(i)];
    if (expected == 0) {
      EXPECT_EQ(count, 0) << "item " << i << " has probability 0";
    } else {
      sum += (count - expected) * (count - expected) / expected;
    }
  }
  return sum;
}

TEST(NoiseSampler, DrawsWithTheProbabilitiesGiven) {
  for (const auto& weights : std::vector<std::vector<double>>{
           {1}, {1, 1, 1, 1}, {5, 0, 1, 3, 0}, {1e-3, 1, 1e3}, {1e300, 2e300, 1e300}}) {
    const NoiseSampler noise(weights);
    std::vector<Index> drawn(200000);
    noise.draw(11, 3, drawn);
    // The 1 - 1e-6 quantile of chi-squared with up to 4 degrees of freedom is 33.4.
    EXPECT_LT(chi_squared(noise, drawn), 33.4) << weights.size() << " weights";
  }
}

TEST(NoiseSampler, DrawsDependOnIndicesNotOnOrder) {
  const NoiseSampler noise({1, 2, 3, 4, 5});
  std::vector<Index> drawn(50);
  noise.draw(1, 2, drawn, 7);
  for (std::size_t k = drawn.size(); k-- > 0;) EXPECT_EQ(noise.draw(1, 2, 7, k), drawn[k]);
  std::vector<Index> other(50);
  noise.draw(1, 3, other, 7);
  EXPECT_NE(other, drawn);
}

TEST(NoiseSampler, ProbabilitiesSumToOneAndHaveLogarithms) {
  const NoiseSampler noise({3, 0, 1});
  EXPECT_DOUBLE_EQ(noise.probability(0), 0.75);
  EXPECT_EQ(noise.probability(1), 0);
  EXPECT_DOUBLE_EQ(noise.log_probability(2), std::log(0.25));
  std::vector<float> logs;
  noise.log_probabilities({0, 2, 0}, logs);
  EXPECT_EQ(logs, (std::vector<float>{std::log(0.75f), std::log(0.25f), std::log(0.75f)}));
}

TEST(PoweredCounts, AreThoseOfWord2Vec) {
  const std::vector<double> weights = nearfar::powered_counts({16, 0, 1});
  EXPECT_DOUBLE_EQ(weights[0], 8);
  EXPECT_EQ(weights[1], 0);
  EXPECT_DOUBLE_EQ(weights[2], 1);
  EXPECT_EQ(nearfar::powered_counts({5, 0}, 0), (std::vector<double>{1, 0}));
}

TEST(NoiseSampler, RefusesWhatIsNoDistribution) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const NoiseSampler noise({3, 0, 1});
  std::vector<double> out = {7};
  const BadCall table[] = {
      {"empty",
       Thrown::invalid_argument,
       {"weights", "none"},
       [] { NoiseSampler(std::vector<double>{}); }},
      {"zeros",
       Thrown::invalid_argument,
       {"weights", "zeros"},
       [] {
         NoiseSampler({0, 0});
       }},
      {"negative",
       Thrown::invalid_argument,
       {"weights", "-1"},
       [] {
         NoiseSampler({1, -1});
       }},
      {"NaN",
       Thrown::invalid_argument,
       {"weights", "nan"},
       [=] {
         NoiseSampler({1, nan});
       }},
      {"item too large",
       Thrown::invalid_argument,
       {"items", "3 at 1"},
       [&] {
         noise.log_probabilities({0, 3}, out);
       }},
      {"item never drawn",
       Thrown::invalid_argument,
       {"items", "1 at 0"},
       [&] { noise.log_probabilities({1}, out); }},
      {"item below 0",
       Thrown::invalid_argument,
       {"items: wanted items of probability above 0, got -1 at 0"},
       [&] { noise.log_probabilities({-1}, out); }},
      {"probability of no item",
       Thrown::invalid_argument,
       {"item: wanted an item from 0 to 2, got 3"},
       [&] { noise.probability(3); }},
      {"probability of a negative item",
       Thrown::invalid_argument,
       {"item: wanted an item from 0 to 2, got -1"},
       [&] { noise.log_probability(-1); }},
      {"infinite",
       Thrown::invalid_argument,
       {"weights", "inf"},
       [] {
         NoiseSampler({1, std::numeric_limits<double>::infinity()});
       }},
      {"negative count",
       Thrown::invalid_argument,
       {"counts"},
       [] { nearfar::powered_counts({-1}); }},
      {"power", Thrown::invalid_argument, {"power"}, [=] { nearfar::powered_counts({1}, nan); }},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    EXPECT_EQ(out, std::vector<double>{7}) << bad.name;
  }
}

/// Weights may have any sum: probabilities are weights divided by it.
TEST(NoiseSampler, TakesWeightsOfAnySum) {
  for (const double unit : {1e-300, 1e-20, 1.0, 1e300}) {
    const NoiseSampler noise({unit, 3 * unit, 0});
    EXPECT_DOUBLE_EQ(noise.probability(0), 0.25) << unit;
    EXPECT_DOUBLE_EQ(noise.probability(1), 0.75) << unit;
    EXPECT_EQ(noise.probability(2), 0) << unit;
  }
}

}  // namespace
