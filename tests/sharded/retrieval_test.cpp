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

/// Rows on a coarse lattice: many scores are equal, and ranks are decided by index.
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

/// A class of two, far from each other: its first positive is beyond all of ks.
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

/// One that maps both sides, and one that maps queries alone, whose rows are two sets.
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
