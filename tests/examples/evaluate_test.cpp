#include "common/evaluate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "common/random.hpp"

namespace example_test {
namespace {

using example::knn_accuracy;
using example::nearest;
using example::Random;
using example::recall_at_1;
using nearfar::Index;
using Rows = nearfar::Matrix<float>;
using Labels = std::vector<std::uint8_t>;

Rows random_rows(Index rows, Index cols, Random& random) {
  Rows m(rows, cols);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<float>(random.normal());
  return m;
}

Labels random_labels(std::size_t count, std::uint64_t classes, Random& random) {
  Labels labels(count);
  for (auto& label : labels) label = static_cast<std::uint8_t>(random.below(classes));
  return labels;
}

/// Every distance in double, every row sorted: slow and plain.
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
  // Each of the five again and again, across the border of a block of references.
  Rows references(4500, 8);
  for (Index r = 0; r < references.rows(); ++r) references.row(r) = few.row(r % 5);
  const std::vector<std::size_t> found = nearest(few, references, 3);
  for (std::size_t q = 0; q < 5; ++q) {
    EXPECT_EQ(found[3 * q], q);
    EXPECT_EQ(found[3 * q + 1], q + 5);
    EXPECT_EQ(found[3 * q + 2], q + 10);
  }
}

TEST(RecallAt1, AgreesWithSortingEverything) {
  Random random(24);
  const Rows rows = random_rows(1300, 2, random);
  const Labels labels = random_labels(1300, 3, random);
  const std::vector<std::size_t> neighbours = nearest_by_sorting(rows, rows, 1, true);
  std::size_t right = 0;
  for (std::size_t i = 0; i < 1300; ++i) right += labels[i] == labels[neighbours[i]] ? 1 : 0;
  EXPECT_DOUBLE_EQ(recall_at_1(rows, labels), static_cast<double>(right) / 1300);
}

TEST(RecallAt1, CountsByHand) {
  Rows rows(5, 1);
  rows << 0, 1, 3, 7, 8.5f;
  // Nearest others: 1, 0, 1, 4, 3.
  EXPECT_DOUBLE_EQ(recall_at_1(rows, Labels{0, 0, 1, 1, 1}), 0.8);
  EXPECT_DOUBLE_EQ(recall_at_1(rows, Labels{0, 1, 0, 1, 0}), 0);
  EXPECT_DOUBLE_EQ(recall_at_1(rows.topRows(1), Labels{0}), 0);
}

TEST(KnnAccuracy, AgreesWithSortingEverything) {
  Random random(25);
  const Rows gallery = random_rows(4400, 2, random);
  const Rows queries = random_rows(300, 2, random);
  const Labels gallery_labels = random_labels(4400, 4, random);
  const Labels query_labels = random_labels(300, 4, random);
  const std::vector<std::size_t> neighbours = nearest_by_sorting(queries, gallery, 10, false);
  std::size_t right = 0;
  for (std::size_t q = 0; q < 300; ++q) {
    std::map<int, int> votes;
    for (std::size_t n = 0; n < 10; ++n) ++votes[gallery_labels[neighbours[10 * q + n]]];
    int best = 0;
    for (const auto& [label, count] : votes) best = count > votes[best] ? label : best;
    right += best == query_labels[q] ? 1 : 0;
  }
  EXPECT_DOUBLE_EQ(knn_accuracy(gallery, gallery_labels, queries, query_labels, 10),
                   static_cast<double>(right) / 300);
}

TEST(KnnAccuracy, TiesGoToTheLowestClass) {
  Rows gallery(4, 1);
  gallery << 1, 2, 3, 4;
  Rows query(1, 1);
  query << 0;
  const Labels gallery_labels = {5, 2, 2, 5};
  EXPECT_DOUBLE_EQ(knn_accuracy(gallery, gallery_labels, query, Labels{2}, 4), 1);
  EXPECT_DOUBLE_EQ(knn_accuracy(gallery, gallery_labels, query, Labels{5}, 4), 0);
  EXPECT_DOUBLE_EQ(knn_accuracy(gallery, gallery_labels, query, Labels{5}, 1), 1);
  // More neighbours than there are: all of them.
  EXPECT_DOUBLE_EQ(knn_accuracy(gallery, gallery_labels, query, Labels{2}, 99), 1);
}

}  // namespace
}  // namespace example_test
