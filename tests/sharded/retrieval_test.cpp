#include <gtest/gtest.h>

#include <nearfar/sharded/retrieval.hpp>

#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Retrieval over shards against that of one process.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::RetrievalOptions;
using nearfar::RetrievalResult;
using nearfar::Schedule;

void expect_same(const RetrievalResult& got, const RetrievalResult& want, Index first,
                 Index count) {
  EXPECT_EQ(got.queries, want.queries);
  EXPECT_EQ(got.queries_without_positive, want.queries_without_positive);
  // The same ranks, and sums in the same order: the same bits.
  EXPECT_EQ(got.recall, want.recall);
  EXPECT_EQ(got.precision, want.precision);
  EXPECT_EQ(got.map_at_r, want.map_at_r);
  EXPECT_EQ(got.r_precision, want.r_precision);
  EXPECT_EQ(got.mean_reciprocal_rank, want.mean_reciprocal_rank);
  EXPECT_EQ(got.ndcg, want.ndcg);
  ASSERT_EQ(got.per_query.size(), want.per_query.empty() ? 0u : static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < got.per_query.size(); ++i) {
    const auto& a = got.per_query[i];
    const auto& b = want.per_query[static_cast<std::size_t>(first) + i];
    EXPECT_EQ(a.positives, b.positives);
    EXPECT_EQ(a.first_positive, b.first_positive);
    EXPECT_EQ(a.average_precision_at_r, b.average_precision_at_r);
    EXPECT_EQ(a.r_precision, b.r_precision);
  }
}

/// Rows on a coarse lattice: many scores are equal, and the index decides ranks.
template <class S>
Matrix<S> lattice_rows(Index n, std::uint64_t seed) {
  Random random(seed);
  Matrix<S> out(n, 3);
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < 3; ++k) out(i, k) = static_cast<S>(random.below(3)) - 1;
  }
  return out;
}

template <class S, class K>
void check(const Matrix<S>& x, const std::vector<int>& labels, const RetrievalOptions& options,
           const K& kernel = K()) {
  const Index n = x.rows();
  const RetrievalResult want = nearfar::Retrieval<S, K>(options, kernel).evaluate(x, labels);
  const Matrix<S> references = x.topRows(n / 2);
  const std::vector<int> reference_labels(labels.begin(), labels.begin() + n / 2);
  const RetrievalResult want_of_two =
      nearfar::Retrieval<S, K>(options, kernel).evaluate(x, labels, references, reference_labels);
  for (const int processes : {1, 2, 4}) {
    for (const Split split : {Split::even, Split::growing, Split::first_has_none}) {
      run_team(processes, [&](Exchange& e) {
        const auto own_of = [&](Index total) {
          const Index first = first_row(split, e.rank(), processes, total);
          return std::pair{first, first_row(split, e.rank() + 1, processes, total) - first};
        };
        const auto [first, count] = own_of(n);
        const auto [r_first, r_count] = own_of(n / 2);
        const nearfar::Labels own(labels.data() + first, count);
        const nearfar::Labels own_references(reference_labels.data() + r_first, r_count);
        const nearfar::sharded::Retrieval<S, K> metric(options, kernel);
        for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
          expect_same(metric.evaluate({e, schedule}, x.middleRows(first, count), own), want, first,
                      count);
          expect_same(metric.evaluate({e, schedule}, x.middleRows(first, count), own,
                                      references.middleRows(r_first, r_count), own_references),
                      want_of_two, first, count);
        }
      });
    }
  }
}

template <class S>
class ShardedRetrieval : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedRetrieval, Scalars);

TYPED_TEST(ShardedRetrieval, IsThatOfOneProcess) {
  const Matrix<TypeParam> x = random_rows<TypeParam>(60, 5, 2);
  const std::vector<int> labels = random_labels(60, 9, 3);
  check<TypeParam, nearfar::Cosine>(x, labels, {.per_query = true});
  check<TypeParam, nearfar::Euclidean>(x, labels, {.ks = {3, 1, 500}});
}

TYPED_TEST(ShardedRetrieval, RanksEqualScoresByTheGlobalIndex) {
  const Matrix<TypeParam> x = lattice_rows<TypeParam>(60, 2);
  const std::vector<int> labels = random_labels(60, 9, 3);
  check<TypeParam, nearfar::SquaredEuclidean>(x, labels, {.per_query = true});
  check<TypeParam, nearfar::InnerProduct>(x, labels, {.ks = {1}, .per_query = true});
}

/// A class of two rows that are far from each other: the first positive is beyond all of ks.
TYPED_TEST(ShardedRetrieval, FindsFirstPositivesBeyondAllRanks) {
  const Matrix<TypeParam> x = random_rows<TypeParam>(60, 5, 2);
  std::vector<int> labels;
  for (int i = 0; i < 60; ++i) labels.push_back(i % 30);
  check<TypeParam, nearfar::Cosine>(x, labels, {.ks = {}, .per_query = true});
}

TYPED_TEST(ShardedRetrieval, OfQueriesWithoutPositivesIsZero) {
  const Matrix<TypeParam> x = random_rows<TypeParam>(20, 5, 2);
  std::vector<int> labels;
  for (int i = 0; i < 20; ++i) labels.push_back(i);
  check<TypeParam, nearfar::Cosine>(x, labels, {.per_query = true});
}

/// A matrix that maps both sides, and one that maps queries alone, whose rows are two sets.
TYPED_TEST(ShardedRetrieval, HasKernelsWithAMatrix) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(60, 5, 2);
  const std::vector<int> labels = random_labels(60, 9, 3);
  const Matrix<S> square = random_rows<S>(5, 5, 4);
  check<S, nearfar::Bilinear<S>>(x, labels, {.per_query = true}, nearfar::Bilinear<S>(square));
  const Matrix<S> narrow = random_rows<S>(3, 5, 4);
  check<S, nearfar::Mahalanobis<S>>(x, labels, {.per_query = true},
                                    nearfar::Mahalanobis<S>(narrow));
}

/// Sets of labels, lists that number all rows, and ids.
TYPED_TEST(ShardedRetrieval, HasTargetsOfAllKinds) {
  using S = TypeParam;
  using nearfar::MultiLabels;
  using nearfar::PositiveLists;
  using nearfar::Targets;
  const Index n = 60;
  const Matrix<S> x = random_rows<S>(n, 5, 2);
  const Matrix<S> keys = random_rows<S>(2 * n, 5, 3);
  Random random(4);
  std::vector<std::uint64_t> words;
  std::vector<int> ids;
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  for (Index i = 0; i < 2 * n; ++i) {
    words.push_back(std::uint64_t(3) << random.below(20));
    ids.push_back(static_cast<int>(random.below(25)));
    for (Index j = i % 7; j < n; j += 7) columns.push_back(j);
    offsets.push_back(std::ssize(columns));
  }
  const auto sets_of = [&](Index first, Index count) {
    return Targets(MultiLabels{words.data() + first, count, 1})
        .ids(nearfar::Labels(ids.data() + first, count));
  };
  const nearfar::RetrievalOptions options{.ks = {1, 6, 300}, .per_query = true};
  const nearfar::Retrieval<S> metric(options);
  const auto batch = metric.evaluate(x, sets_of(0, n));
  const auto of_two = metric.evaluate(x, sets_of(0, n), keys, sets_of(0, 2 * n));
  const PositiveLists lists{{offsets.data(), static_cast<std::size_t>(n + 1)},
                            {columns.data(), static_cast<std::size_t>(offsets[60])}};
  const auto listed = metric.evaluate(x, lists);
  for (const int processes : {1, 3}) {
    run_team(processes, [&](Exchange& e) {
      const nearfar::sharded::Retrieval<S> own_metric(options);
      const auto own_of = [&](Index total) {
        const Index first = first_row(Split::growing, e.rank(), processes, total);
        return std::pair{first, first_row(Split::growing, e.rank() + 1, processes, total) - first};
      };
      const auto [first, count] = own_of(n);
      const auto [key_first, key_count] = own_of(2 * n);
      const auto own = x.middleRows(first, count);
      expect_same(own_metric.evaluate(e, own, sets_of(first, count)), batch, first, count);
      expect_same(
          own_metric.evaluate(e, own, sets_of(first, count), keys.middleRows(key_first, key_count),
                              sets_of(key_first, key_count)),
          of_two, first, count);
      std::vector<Index> own_offsets;
      const Index from = offsets[static_cast<std::size_t>(first)];
      for (Index i = first; i <= first + count; ++i) {
        own_offsets.push_back(offsets[static_cast<std::size_t>(i)] - from);
      }
      const PositiveLists own_lists{
          own_offsets, {columns.data() + from, static_cast<std::size_t>(own_offsets.back())}};
      expect_same(own_metric.evaluate(e, own, own_lists), listed, first, count);
    });
  }
}

TEST(ShardedRetrieval, RefusesOptionsThatNeedWholeRows) {
  const Matrix<float> x = random_rows<float>(6, 5, 2);
  const std::vector<int> labels = {0, 1, 0, 1, 0, 1};
  const std::vector<double> weights(6, 1.0);
  run_team(2, [&](Exchange& e) {
    using nearfar::sharded::Retrieval;
    expect_error_everywhere(
        [&] { Retrieval<float>({.average_precision = true}).evaluate(e, x, labels); },
        "average_precision: wanted false where references are split over processes");
    expect_error_everywhere([&] { Retrieval<float>({.unlabelled = -1}).evaluate(e, x, labels); },
                            "unlabelled: wanted nothing where references are split over processes");
    expect_error_everywhere(
        [&] { Retrieval<float>().evaluate(e, x, nearfar::Targets(labels).weights(weights)); },
        "labels: wanted no weights where references are split over processes");
  });
}

TEST(ShardedRetrieval, OtherKsAreRefusedOnAll) {
  run_team(2, [&](Exchange& e) {
    const Matrix<float> x = random_rows<float>(6, 5, 2);
    const std::vector<int> labels = {0, 1, 0, 1, 0, 1};
    const nearfar::sharded::Retrieval<float> metric({.ks = {1, e.rank() == 0 ? 2 : 3}});
    expect_error_everywhere([&] { metric.evaluate(e, x, labels); },
                            "rank 1: ks: wanted 2 at 1 as on rank 0, got 3");
  });
}

}  // namespace
