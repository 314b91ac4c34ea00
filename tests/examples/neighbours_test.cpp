#include "common/neighbours.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "common/random.hpp"

namespace example_test {
namespace {

using example::nearest;
using example::Random;
using nearfar::Index;
using Rows = nearfar::Matrix<float>;

Rows random_rows(Index rows, Index cols, Random& random) {
  Rows m(rows, cols);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<float>(random.normal());
  return m;
}

/// Computes every distance in double and sorts every row.
std::vector<std::size_t> nearest_by_sorting(const Rows& queries, const Rows& references,
                                            std::size_t k, bool leave_self_out) {
  std::vector<std::size_t> result;
  for (Index q = 0; q < queries.rows(); ++q) {
    std::vector<std::pair<double, std::size_t>> all;
    for (Index r = 0; r < references.rows(); ++r) {
      if (leave_self_out && r == q) continue;
      const double d =
          (queries.row(q).cast<double>() - references.row(r).cast<double>()).squaredNorm();
      all.emplace_back(d, static_cast<std::size_t>(r));
    }
    std::sort(all.begin(), all.end());
    for (std::size_t n = 0; n < std::min(k, all.size()); ++n) result.push_back(all[n].second);
  }
  return result;
}

TEST(Nearest, AgreesWithSortingEverything) {
  Random random(21);
  // Sizes on both sides of the blocks of 1024 queries and 4096 references.
  for (const auto& [n, m, d, k] : std::vector<std::tuple<Index, Index, Index, std::size_t>>{
           {7, 9, 2, 3}, {1025, 50, 3, 1}, {20, 4200, 16, 10}, {3, 4, 5, 10}, {40, 40, 784, 5}}) {
    const Rows queries = random_rows(n, d, random);
    const Rows references = random_rows(m, d, random);
    EXPECT_EQ(nearest(queries, references, k), nearest_by_sorting(queries, references, k, false))
        << n << " x " << m << " x " << d;
  }
}

TEST(Nearest, LeavesARowItselfOut) {
  Random random(22);
  for (const Index n : {2, 30, 1500}) {
    const Rows rows = random_rows(n, 2, random);
    EXPECT_EQ(nearest(rows, rows, 2, true), nearest_by_sorting(rows, rows, 2, true)) << n;
  }
}

TEST(Nearest, PrefersTheLowerIndexOfEqualRows) {
  Random random(23);
  const Rows few = random_rows(5, 8, random);
  // The same five rows repeated, across the border of a block of references.
  Rows references(4500, 8);
  for (Index r = 0; r < references.rows(); ++r) references.row(r) = few.row(r % 5);
  const std::vector<std::size_t> found = nearest(few, references, 3);
  for (std::size_t q = 0; q < 5; ++q) {
    EXPECT_EQ(found[3 * q], q);
    EXPECT_EQ(found[3 * q + 1], q + 5);
    EXPECT_EQ(found[3 * q + 2], q + 10);
  }
}

TEST(Nearest, OfEachOtherWhenEitherIsAmongTheNearest) {
  Random random(26);
  const Rows rows = random_rows(60, 3, random);
  const std::size_t k = 4;
  const std::vector<std::size_t> found = nearest_by_sorting(rows, rows, k, true);
  const auto finds = [&](std::size_t a, std::size_t b) {
    return std::count(&found[a * k], &found[a * k] + k, b) > 0;
  };
  const example::Neighbourhoods got = example::mutual_neighbours(rows, k);
  ASSERT_EQ(got.size(), 60u);
  for (std::size_t i = 0; i < 60; ++i) {
    std::vector<std::size_t> want;
    for (std::size_t j = 0; j < 60; ++j) {
      if (finds(i, j) || finds(j, i)) want.push_back(j);
    }
    EXPECT_EQ(got[i], want) << i;
  }
  EXPECT_EQ(example::mutual_neighbours(rows.topRows(2), 5), (example::Neighbourhoods{{1}, {0}}));
}

}  // namespace
}  // namespace example_test
