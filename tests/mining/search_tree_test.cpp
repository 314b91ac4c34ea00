#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nearfar/mining/search_tree.hpp>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/random.hpp"

/// Ranks against counting, for trees of every number of levels: by table, by search and by
/// comparison with each number.

namespace {

using namespace support;
using nearfar::detail::bounds_at_once;
using nearfar::detail::search_tree;
using nearfar::detail::search_tree_size;
using nearfar::detail::SearchTree;
using nearfar::detail::triplet_loops;

template <class S>
class Ranks : public testing::Test {};
TYPED_TEST_SUITE(Ranks, Scalars, CaseNames);

/// Sorted numbers, many of them equal.
template <class S>
std::vector<S> sorted_numbers(Index count) {
  Random random(static_cast<std::uint64_t>(count) + 1);
  std::vector<S> numbers;
  for (Index r = 0; r < count; ++r) {
    const double v = random.uniform();
    numbers.push_back(static_cast<S>(r % 2 == 0 ? v : std::round(8 * v) / 8));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// Some of the numbers themselves, numbers between them, and the ends of the range.
template <class S>
std::vector<S> some_bounds(const std::vector<S>& numbers) {
  Random random(7);
  std::vector<S> bounds{std::numeric_limits<S>::lowest(), std::numeric_limits<S>::max(), S(0),
                        S(-0.0)};
  while (bounds.size() < static_cast<std::size_t>(bounds_at_once)) {
    const bool own = !numbers.empty() && bounds.size() % 2 == 0;
    const auto count = static_cast<Index>(numbers.size());
    bounds.push_back(own ? numbers[static_cast<std::size_t>(random.below(count))]
                         : static_cast<S>(1.1 * random.uniform()));
  }
  return bounds;
}

template <class S>
std::vector<std::int32_t> counted(const std::vector<S>& numbers, const std::vector<S>& bounds) {
  std::vector<std::int32_t> below;
  for (const S bound : bounds) {
    below.push_back(static_cast<std::int32_t>(
        std::count_if(numbers.begin(), numbers.end(), [&](S v) { return v < bound; })));
  }
  return below;
}

TYPED_TEST(Ranks, AreHowManyNumbersAreBelow) {
  using S = TypeParam;
  for (const Index count : {0,  1,  2,   3,   4,   7,   8,   15,  16,  31,   32,   33,
                            63, 64, 127, 128, 200, 255, 256, 511, 512, 1023, 1024, 5000}) {
    SCOPED_TRACE(count);
    const std::vector<S> numbers = sorted_numbers<S>(count);
    const std::vector<S> bounds = some_bounds(numbers);
    std::vector<S> memory(static_cast<std::size_t>(search_tree_size<S>(count)));
    const SearchTree<S> tree = search_tree(
        count, memory.data(), [&](Index rank) { return numbers[static_cast<std::size_t>(rank)]; });
    std::vector<std::int32_t> ranks(bounds.size());
    triplet_loops<S>().ranks(tree, bounds.data(), ranks.data());
    EXPECT_EQ(ranks, counted(numbers, bounds));
  }
}

TYPED_TEST(Ranks, AreCountedInAnyOrder) {
  using S = TypeParam;
  for (const Index count : {0, 1, 5, 64, 130}) {
    SCOPED_TRACE(count);
    std::vector<S> numbers = sorted_numbers<S>(count);
    const std::vector<S> bounds = some_bounds(numbers);
    std::reverse(numbers.begin(), numbers.end());
    std::vector<std::int32_t> below(bounds.size());
    triplet_loops<S>().count_below(numbers.data(), count, bounds.data(), below.data());
    EXPECT_EQ(below, counted(numbers, bounds));
  }
}

}  // namespace
