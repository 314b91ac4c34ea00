#include <gtest/gtest.h>

#include <map>
#include <nearfar/sampling/m_per_class.hpp>
#include <set>

#include "support/errors.hpp"

namespace {

using nearfar::Index;
using nearfar::MPerClassSampler;
using nearfar::SmallClasses;
using namespace support;

/// Class c has 2 + 3 c rows, spread over the set; labels are far apart.
std::vector<std::int64_t> labels_of(Index classes) {
  std::vector<std::int64_t> labels;
  for (Index round = 0; round < 2 + 3 * (classes - 1); ++round) {
    for (Index c = 0; c < classes; ++c) {
      if (round < 2 + 3 * c) labels.push_back(1000 * c - 2000);
    }
  }
  return labels;
}

TEST(MPerClassSampler, DrawsMDifferentRowsOfEachOfPClasses) {
  const std::vector<std::int64_t> labels = labels_of(7);
  const MPerClassSampler sampler(labels,
                                 {.classes = 3, .m = 5, .small_classes = SmallClasses::leave_out});
  std::vector<Index> rows;
  for (std::uint64_t step = 0; step < 200; ++step) {
    sampler.draw(step, rows);
    ASSERT_EQ(static_cast<Index>(rows.size()), sampler.batch_size());
    std::set<std::int64_t> classes;
    for (std::size_t c = 0; c < 3; ++c) {
      const std::int64_t label = labels[static_cast<std::size_t>(rows[5 * c])];
      EXPECT_NE(label, -2000);  // only two rows
      classes.insert(label);
      std::set<Index> members;
      for (std::size_t k = 0; k < 5; ++k) {
        members.insert(rows[5 * c + k]);
        EXPECT_EQ(labels[static_cast<std::size_t>(rows[5 * c + k])], label);
      }
      EXPECT_EQ(members.size(), 5u);
    }
    EXPECT_EQ(classes.size(), 3u);
  }
}

TEST(MPerClassSampler, RepeatsRowsOfSmallClassesEvenly) {
  const std::vector<std::int64_t> labels = labels_of(3);  // 2, 5 and 8 rows
  const MPerClassSampler sampler(labels, {.classes = 3, .m = 7});
  std::vector<Index> rows;
  for (std::uint64_t step = 0; step < 50; ++step) {
    sampler.draw(step, rows);
    std::map<std::int64_t, std::map<Index, int>> times;
    for (const Index i : rows) ++times[labels[static_cast<std::size_t>(i)]][i];
    ASSERT_EQ(times.size(), 3u);
    EXPECT_EQ(times[-2000].size(), 2u);
    for (const auto& [row, count] : times[-2000]) EXPECT_TRUE(count == 3 || count == 4) << row;
    EXPECT_EQ(times[-1000].size(), 5u);
    for (const auto& [row, count] : times[-1000]) EXPECT_TRUE(count == 1 || count == 2) << row;
    EXPECT_EQ(times[0].size(), 7u);
  }
}

/// Each of 4 classes of 6 rows has the same frequency.
TEST(MPerClassSampler, PrefersNoClassAndNoRow) {
  std::vector<int> labels;
  for (int i = 0; i < 24; ++i) labels.push_back(i % 4);
  const MPerClassSampler sampler(labels, {.classes = 2, .m = 3, .seed = 5});
  constexpr int steps = 4000;
  std::vector<int> drawn(24, 0);
  std::vector<Index> rows;
  for (int step = 0; step < steps; ++step) {
    sampler.draw(static_cast<std::uint64_t>(step), rows);
    for (const Index i : rows) ++drawn[static_cast<std::size_t>(i)];
  }
  // A row is in a batch with probability 1/4: six standard deviations of the binomial count.
  const double six = 6 * std::sqrt(steps * 0.25 * 0.75);
  for (const int count : drawn) EXPECT_NEAR(count, steps * 0.25, six);
}

TEST(MPerClassSampler, BatchesDependOnSeedAndStepAlone) {
  const std::vector<std::int64_t> labels = labels_of(7);
  const MPerClassSampler sampler(labels, {.classes = 3, .m = 4, .seed = 1});
  const MPerClassSampler other(labels, {.classes = 3, .m = 4, .seed = 2});
  std::vector<Index> first;
  std::vector<Index> again;
  sampler.draw(9, first);
  sampler.draw(3, again);
  EXPECT_NE(again, first);
  sampler.draw(9, again);
  EXPECT_EQ(again, first);
  other.draw(9, again);
  EXPECT_NE(again, first);
}

TEST(MPerClassSampler, RefusesWhatItCannotDraw) {
  const std::vector<int> labels = {1, 1, 1, 2, 2, 3};
  const auto make = [&](nearfar::MPerClassOptions options) {
    return [&labels, options] { MPerClassSampler(labels, options); };
  };
  const BadCall table[] = {
      {"no class", Thrown::invalid_argument, {"classes: wanted"}, make({.classes = 0})},
      {"no row", Thrown::invalid_argument, {"m: wanted"}, make({.m = 0})},
      {"too many classes",
       Thrown::invalid_argument,
       {"labels: wanted at least 4 classes", "got 3"},
       make({.classes = 4})},
      {"too many classes of two",
       Thrown::invalid_argument,
       {"labels: wanted at least 3 classes", "got 2"},
       make({.classes = 3, .m = 2, .small_classes = SmallClasses::leave_out})},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

}  // namespace
