#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/mining/anchor_row.hpp>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/random.hpp"

/// Sorted positives, and ranks among them against comparisons with each, in double, at distances
/// one rounding error away from the changes of rank.

namespace {

using namespace support;
using nearfar::detail::bounds_at_once;
using nearfar::detail::next_down;
using nearfar::detail::PositivesMemory;
using nearfar::detail::Scratch;
using nearfar::detail::SearchTree;
using nearfar::detail::SortedPositives;
using nearfar::detail::triplet_loops;

template <class S>
class Positives : public testing::Test {};
TYPED_TEST_SUITE(Positives, Scalars, CaseNames);

template <class S>
void expect_sorted(const SortedPositives<S>& positives, const std::vector<S>& distances,
                   const std::vector<std::int32_t>& keys) {
  std::vector<std::int32_t> want = keys;
  std::stable_sort(want.begin(), want.end(), [&](std::int32_t a, std::int32_t b) {
    return distances[static_cast<std::size_t>(a)] < distances[static_cast<std::size_t>(b)];
  });
  ASSERT_EQ(positives.count(), static_cast<Index>(want.size()));
  for (Index r = 0; r < positives.count(); ++r) {
    ASSERT_EQ(positives.key(r), want[static_cast<std::size_t>(r)]) << r;
    ASSERT_EQ(positives.distance(r), distances[static_cast<std::size_t>(positives.key(r))]) << r;
  }
}

template <class S>
void expect_ranks(const SearchTree<S>& tree, const std::vector<S>& bounds,
                  const std::vector<std::int32_t>& want, const char* name) {
  std::vector<std::int32_t> got(bounds.size());
  triplet_loops<S>().ranks(tree, bounds.data(), got.data());
  EXPECT_EQ(got, want) << name;
  for (std::size_t k = 0; k < bounds.size(); ++k) {
    EXPECT_EQ(tree.rank(bounds[k]), want[k]) << name;
  }
}

/// A part of all keys; distances are integers if many should be equal.
template <class S>
void expect_order_and_ranks(Index count, double margin, bool whole) {
  SCOPED_TRACE(std::to_string(count) + " positives, margin " + std::to_string(margin) +
               (whole ? ", whole" : ""));
  Random random(static_cast<std::uint64_t>(count) + 5);
  std::vector<S> distances;
  std::vector<std::int32_t> keys;
  for (Index k = 0; k < 2 * count; ++k) {
    distances.push_back(
        static_cast<S>(whole ? static_cast<double>(random.below(7) - 3) : 1.5 + random.uniform()));
    if (random.below(2) == 0) keys.push_back(static_cast<std::int32_t>(k));
  }
  Scratch scratch(nullptr);
  PositivesMemory<S> memory(scratch, static_cast<Index>(keys.size()));
  std::copy(keys.begin(), keys.end(), memory.keys);
  const SortedPositives<S> positives(
      static_cast<Index>(keys.size()),
      [&](Index k) { return distances[static_cast<std::size_t>(k)]; }, margin, memory);
  expect_sorted(positives, distances, keys);

  std::vector<S> bounds = {S(0), S(-0.0), S(100), S(-100)};
  const S infinity = std::numeric_limits<S>::infinity();
  while (bounds.size() < static_cast<std::size_t>(bounds_at_once)) {
    const auto at = static_cast<std::size_t>(random.below(2 * count + 1));
    const double d = at < distances.size() ? static_cast<double>(distances[at]) : 0;
    const S limit = static_cast<S>(d + (random.below(2) == 0 ? 0 : margin));
    const Index turn = random.below(3);
    bounds.push_back(turn == 0 ? limit : std::nextafter(limit, turn == 1 ? infinity : -infinity));
  }
  std::vector<std::int32_t> nearer;
  std::vector<std::int32_t> costless;
  std::vector<std::int32_t> easy;
  bool met = false;
  for (const S bound : bounds) {
    const auto d = static_cast<double>(bound);
    const auto count_where = [&](const auto& holds) {
      return static_cast<std::int32_t>(std::count_if(keys.begin(), keys.end(), [&](auto k) {
        return holds(static_cast<double>(distances[static_cast<std::size_t>(k)]));
      }));
    };
    nearer.push_back(count_where([&](double p) { return p < d; }));
    costless.push_back(count_where([&](double p) { return p + margin <= d; }));
    easy.push_back(count_where([&](double p) { return p + margin < d; }));
    met = met || costless.back() != easy.back();
  }
  expect_ranks(positives.trees().nearer, bounds, nearer, "nearer");
  expect_ranks(positives.trees().costless, bounds, costless, "costless");
  expect_ranks(positives.trees().easy, bounds, easy, "easy");
  EXPECT_TRUE(positives.trees().margin_is_met || !met);
}

TYPED_TEST(Positives, AreInOrderAndHaveRanks) {
  for (const Index count : {0, 1, 2, 20, 64, 65, 200, 500, 511, 512, 513, 1100}) {
    for (const double margin : {0.0, 0.25, 0.2, 2.0, 1e-9}) {
      expect_order_and_ranks<TypeParam>(count, margin, true);
      expect_order_and_ranks<TypeParam>(count, margin, false);
    }
  }
}

TYPED_TEST(Positives, PreviousNumberIsTheNextSmallerFloat) {
  using S = TypeParam;
  using Limits = std::numeric_limits<S>;
  for (const S x :
       {S(0), S(-0.0), S(1), S(-1), S(1.5), S(-2), Limits::min(), -Limits::min(),
        Limits::denorm_min(), -Limits::denorm_min(), Limits::max(), Limits::infinity()}) {
    EXPECT_EQ(next_down(x), std::nextafter(x, -Limits::infinity())) << x;
  }
}

}  // namespace
