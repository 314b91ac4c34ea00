#include "nearfar/engine/excluded_pairs.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace {

using Eigen::Index;
using nearfar::Workspace;
using nearfar::detail::ExcludedPairs;
using nearfar::detail::Scratch;
using Ids = std::vector<std::int64_t>;

/// Keys that query i is not compared with, in order.
std::vector<Index> excluded_of(const ExcludedPairs& pairs, Index i) {
  std::vector<Index> out;
  pairs.each(i, [&](Index j) { out.push_back(j); });
  return out;
}

void expect_keys_of_the_same_id(const Ids& queries, const Ids& keys) {
  Workspace workspace;
  Scratch scratch(&workspace);
  const ExcludedPairs pairs(scratch, queries, keys);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    std::vector<Index> expected;
    for (std::size_t j = 0; j < keys.size(); ++j) {
      if (keys[j] == queries[i]) expected.push_back(static_cast<Index>(j));
    }
    EXPECT_EQ(excluded_of(pairs, static_cast<Index>(i)), expected) << "query " << i;
  }
}

TEST(ExcludedPairs, AreTheKeysOfTheQuerysId) {
  expect_keys_of_the_same_id({3, 1, 3, 7}, {7, 3, 2, 3, 1, 1, 3, 9});
}

TEST(ExcludedPairs, AreNoneForIdsThatNoKeyHas) { expect_keys_of_the_same_id({5, 6}, {1, 7, 8}); }

TEST(ExcludedPairs, AreNoneWithoutQueriesOrKeys) {
  expect_keys_of_the_same_id({}, {1, 2});
  expect_keys_of_the_same_id({1, 2}, {});
}

TEST(ExcludedPairs, HoldForAnyNumbersAsIds) {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  expect_keys_of_the_same_id({most, -1, least, 0}, {least, most, 0, least, -2, most - 1});
}

TEST(ExcludedPairs, HoldForRandomIdsFewAndMany) {
  std::mt19937 random(1);
  for (const std::int64_t largest : {2, 20, 2000}) {
    std::uniform_int_distribution<std::int64_t> id(-largest, largest);
    Ids queries(50);
    Ids keys(300);
    for (std::int64_t& q : queries) q = id(random);
    for (std::int64_t& k : keys) k = id(random);
    expect_keys_of_the_same_id(queries, keys);
  }
}

TEST(ExcludedPairs, KeepAQuerysPositiveInSpiteOfItsId) {
  Workspace workspace;
  Scratch scratch(&workspace);
  ExcludedPairs pairs(scratch, Ids{4, 4, 5}, Ids{4, 4, 4});
  pairs.keep_positives(nullptr);
  EXPECT_EQ(excluded_of(pairs, 0), (std::vector<Index>{1, 2}));
  EXPECT_EQ(excluded_of(pairs, 1), (std::vector<Index>{0, 2}));
  EXPECT_EQ(excluded_of(pairs, 2), (std::vector<Index>{}));
}

TEST(ExcludedPairs, LeaveTheRunsBetweenThem) {
  Workspace workspace;
  Scratch scratch(&workspace);
  const ExcludedPairs pairs(scratch, Ids{1}, Ids{0, 1, 0, 0, 1, 1, 0});
  std::vector<std::pair<Index, Index>> runs;
  pairs.each_part(0, 0, 7, [&](Index from, Index n) { runs.emplace_back(from, n); });
  EXPECT_EQ(runs, (std::vector<std::pair<Index, Index>>{{0, 1}, {2, 2}, {6, 1}}));
}

}  // namespace
