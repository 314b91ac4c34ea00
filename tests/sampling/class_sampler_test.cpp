#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/sampling/class_sampler.hpp>

#include "support/errors.hpp"
#include "support/random.hpp"

/// Samples of classes: their members, their frequencies, and errors.

namespace {

using namespace support;
using nearfar::ClassSampler;

TEST(ClassSampler, DrawsTheBatchsClassesAndOthersUpToTheCount) {
  const ClassSampler sampler({.classes = 50, .count = 12, .seed = 3});
  const std::vector<int> labels = {7, 49, 7, 0, 20, 7};
  std::vector<Index> numbers;
  for (std::uint64_t step = 0; step < 100; ++step) {
    sampler.draw(labels, step, numbers);
    ASSERT_EQ(numbers.size(), 12u);
    for (std::size_t k = 1; k < numbers.size(); ++k) ASSERT_LT(numbers[k - 1], numbers[k]);
    ASSERT_GE(numbers.front(), 0);
    ASSERT_LT(numbers.back(), 50);
    for (const int label : labels) {
      ASSERT_TRUE(std::binary_search(numbers.begin(), numbers.end(), Index(label)));
    }
  }
}

TEST(ClassSampler, DrawsAllOthersAsOften) {
  const ClassSampler sampler({.classes = 20, .count = 8, .seed = 5});
  const std::vector<int> labels = {3, 3, 11};
  std::vector<int> drawn(20, 0);
  std::vector<Index> numbers;
  constexpr int steps = 20000;
  for (std::uint64_t step = 0; step < steps; ++step) {
    sampler.draw(labels, step, numbers);
    for (const Index c : numbers) ++drawn[static_cast<std::size_t>(c)];
  }
  // 6 places for 18 other classes: five standard deviations.
  const double deviation = std::sqrt(steps * (1.0 / 3) * (2.0 / 3));
  for (std::size_t c = 0; c < 20; ++c) {
    if (c == 3 || c == 11) {
      EXPECT_EQ(drawn[c], steps);
    } else {
      EXPECT_NEAR(drawn[c], steps / 3.0, 5 * deviation) << c;
    }
  }
}

TEST(ClassSampler, IsAFunctionOfSeedAndStep) {
  const std::vector<int> labels = {1, 2};
  const auto drawn = [&](std::uint64_t seed, std::uint64_t step) {
    std::vector<Index> numbers = {99};
    ClassSampler({.classes = 1000, .count = 100, .seed = seed}).draw(labels, step, numbers);
    return numbers;
  };
  EXPECT_EQ(drawn(1, 1), drawn(1, 1));
  EXPECT_NE(drawn(1, 1), drawn(1, 2));
  EXPECT_NE(drawn(1, 1), drawn(2, 1));
}

TEST(ClassSampler, TakesAllOfABatchWithMoreClassesThanTheCount) {
  std::vector<Index> numbers;
  ClassSampler({.classes = 9, .count = 2}).draw(std::vector<int>{8, 4, 0, 4}, 0, numbers);
  EXPECT_EQ(numbers, (std::vector<Index>{0, 4, 8}));
  ClassSampler({.classes = 4, .count = 4}).draw(std::vector<int>{2}, 0, numbers);
  EXPECT_EQ(numbers, (std::vector<Index>{0, 1, 2, 3}));
  ClassSampler({.classes = 4, .count = 4}).draw(std::vector<int>(), 0, numbers);
  EXPECT_EQ(numbers.size(), 4u);
}

TEST(ClassSampler, RefusesWhatDoesNotFit) {
  const auto refused = [](const char* words, const std::function<void()>& call) {
    expect_refused({words, Thrown::invalid_argument, {words}, call});
  };
  refused("nearfar: classes: wanted a number > 0, got 0",
          [] { ClassSampler({.classes = 0, .count = 1}); });
  refused("nearfar: count: wanted a number from 1 to 5, got 0",
          [] { ClassSampler({.classes = 5, .count = 0}); });
  refused("nearfar: count: wanted a number from 1 to 5, got 6",
          [] { ClassSampler({.classes = 5, .count = 6}); });
  const ClassSampler sampler({.classes = 5, .count = 2});
  std::vector<Index> numbers;
  refused("nearfar: labels: wanted numbers from 0 to 4, got 5 for row 1", [&] {
    sampler.draw(std::vector<int>{0, 5}, 0, numbers);
  });
  refused("got -1 for row 0", [&] { sampler.draw(std::vector<int>{-1}, 0, numbers); });
}

}  // namespace
