#include <gtest/gtest.h>

#include <nearfar/sharded/knn_accuracy.hpp>

#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Accuracy of nearest neighbours over shards against that of one process.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::KnnOptions;
using nearfar::KnnResult;
using nearfar::KnnVote;
using nearfar::Labels;
using nearfar::Schedule;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

/// Counts and predictions of queries [first, first + count) are the same to the last bit.
void expect_same(const KnnResult& got, const KnnResult& want, Index first, Index count) {
  EXPECT_EQ(got.accuracy, want.accuracy);
  EXPECT_EQ(got.queries, want.queries);
  EXPECT_EQ(got.correct, want.correct);
  EXPECT_EQ(got.queries_without_neighbour, want.queries_without_neighbour);
  ASSERT_EQ(got.predictions.size(),
            want.predictions.empty() ? 0u : static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < got.predictions.size(); ++i) {
    EXPECT_EQ(got.predictions[i], want.predictions[static_cast<std::size_t>(first) + i]);
  }
}

/// Rows x among themselves, and as queries of the first half of them.
template <class S, class K>
void check(const Matrix<S>& x, const std::vector<int>& labels, const KnnOptions& options,
           const K& kernel = K(), const std::vector<int>& teams = {1, 2, 3, 4}) {
  const Index n = x.rows();
  const Index m = n / 2;
  const nearfar::KnnAccuracy<S, K> one(options, kernel);
  const KnnResult want = one.evaluate(x, labels);
  const KnnResult want_of_two =
      one.evaluate(x, labels, x.topRows(m), std::vector<int>(labels.begin(), labels.begin() + m));
  for (const int processes : teams) {
    for (const Split split :
         {Split::even, Split::growing, Split::first_has_none, Split::last_has_all}) {
      if (processes == 1 && split != Split::even) continue;
      run_team(processes, [&](Exchange& e) {
        const Index first = first_row(split, e.rank(), processes, n);
        const Index count = first_row(split, e.rank() + 1, processes, n) - first;
        const Index key = first_row(split, e.rank(), processes, m);
        const Index key_count = first_row(split, e.rank() + 1, processes, m) - key;
        const Labels own(labels.data() + first, count);
        const nearfar::sharded::KnnAccuracy<S, K> metric(options, kernel);
        for (const Schedule schedule : schedules) {
          SCOPED_TRACE("process " + std::to_string(e.rank()) + " of " + std::to_string(processes) +
                       ", schedule " + std::to_string(static_cast<int>(schedule)));
          expect_same(metric.evaluate({e, schedule}, x.middleRows(first, count), own), want, first,
                      count);
          expect_same(
              metric.evaluate({e, schedule}, x.middleRows(first, count), own,
                              x.middleRows(key, key_count), Labels(labels.data() + key, key_count)),
              want_of_two, first, count);
        }
      });
    }
  }
}

template <class S>
class ShardedKnn : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedKnn, Scalars);

/// With fewer and with more neighbours than a shard has rows.
TYPED_TEST(ShardedKnn, IsThatOfOneProcess) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(61, 5, 2);
  const std::vector<int> labels = random_labels(61, 9, 3);
  for (const Index k : {1, 7, 40, 500}) {
    for (const KnnVote vote : {KnnVote::weighted, KnnVote::majority}) {
      check<S, nearfar::Cosine>(x, labels, {.k = k, .vote = vote, .per_query = true});
      check<S, nearfar::Euclidean>(x, labels, {.k = k, .vote = vote});
    }
  }
}

/// More rows than a tile of keys has.
TYPED_TEST(ShardedKnn, OfManyTilesIsThatOfOneProcess) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(1000, 20, 2);
  const std::vector<int> labels = random_labels(1000, 30, 3);
  check(x, labels, {.k = 25, .per_query = true}, nearfar::Cosine(), {3});
  check(x, labels, {.k = 25, .temperature = 3, .per_query = true}, nearfar::SquaredEuclidean(),
        {3});
}

/// Rows on a coarse lattice: many scores are equal, and the index decides who votes.
TYPED_TEST(ShardedKnn, RanksEqualScoresByTheGlobalIndex) {
  using S = TypeParam;
  Random random(2);
  Matrix<S> x(80, 3);
  for (Index i = 0; i < x.size(); ++i) x(i / 3, i % 3) = static_cast<S>(random.below(3)) - 1;
  const std::vector<int> labels = random_labels(80, 9, 3);
  for (const Index k : {1, 2, 5, 30}) {
    check<S, nearfar::SquaredEuclidean>(x, labels, {.k = k, .per_query = true});
    check<S, nearfar::InnerProduct>(x, labels,
                                    {.k = k, .vote = KnnVote::majority, .per_query = true});
  }
}

/// A matrix that maps both sides, and one that maps queries alone, whose rows are two sets.
TYPED_TEST(ShardedKnn, HasKernelsWithAMatrix) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(60, 5, 2);
  const std::vector<int> labels = random_labels(60, 9, 3);
  const Matrix<S> square = random_rows<S>(5, 5, 4);
  check<S, nearfar::Bilinear<S>>(x, labels, {.k = 5, .per_query = true},
                                 nearfar::Bilinear<S>(square));
  const Matrix<S> narrow = random_rows<S>(3, 5, 4);
  check<S, nearfar::Mahalanobis<S>>(x, labels, {.k = 5, .per_query = true},
                                    nearfar::Mahalanobis<S>(narrow));
}

TEST(ShardedKnnCalls, TakeRowsIn16Bits) {
  using Rows16 = Eigen::Matrix<Eigen::bfloat16, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Rows16 x = random_rows<float>(60, 5, 2).cast<Eigen::bfloat16>();
  const std::vector<int> labels = random_labels(60, 9, 3);
  const KnnOptions options{.k = 5, .per_query = true};
  const KnnResult want = nearfar::KnnAccuracy<float>(options).evaluate(x, labels);
  run_team(3, [&](Exchange& e) {
    const Index first = first_row(Split::growing, e.rank(), 3, 60);
    const Index count = first_row(Split::growing, e.rank() + 1, 3, 60) - first;
    const Rows16 own = x.middleRows(first, count);
    expect_same(nearfar::sharded::KnnAccuracy<float>(options).evaluate(
                    e, own, Labels(labels.data() + first, count)),
                want, first, count);
  });
}

/// No query, no reference, and one row, which has no other.
TEST(ShardedKnnCalls, OfNothingAreThoseOfOneProcess) {
  run_team(3, [&](Exchange& e) {
    const Matrix<float> rows = random_rows<float>(4, 5, 2);
    const Matrix<float> none(0, 5);
    const std::vector<int> labels = {1, 2, 1, 2};
    const std::vector<int> no_labels;
    const nearfar::sharded::KnnAccuracy<float> metric({.per_query = true});
    KnnResult got = metric.evaluate(e, none, no_labels, rows, labels);
    EXPECT_EQ(got.queries, 0);
    EXPECT_EQ(got.accuracy, 0);
    got = metric.evaluate(e, rows, labels, none, no_labels);
    EXPECT_EQ(got.queries, 12);
    EXPECT_EQ(got.queries_without_neighbour, 12);
    EXPECT_TRUE(got.predictions.empty());
    const Index own = e.rank() == 1 ? 1 : 0;
    got = metric.evaluate(e, rows.topRows(own), Labels(labels.data(), own));
    EXPECT_EQ(got.queries, 1);
    EXPECT_EQ(got.queries_without_neighbour, 1);
    EXPECT_EQ(metric.evaluate(e, none, no_labels).queries, 0);
  });
}

/// References go round once, with a label each. Queries stay.
TEST(ShardedKnnCalls, SendWhatTheModelSays) {
  constexpr Index rows = 20;
  constexpr Index cols = 6;
  for (const int size : {1, 2, 3, 5}) {
    SCOPED_TRACE(size);
    const Index hops = Index(size) * (size - 1);
    for (const Schedule schedule : {Schedule::ring, Schedule::all_gather}) {
      const std::size_t bytes = run_team(size, [&](Exchange& e) {
        const Matrix<float> references = random_rows<float>(rows, cols, 1);
        const Matrix<float> queries = random_rows<float>(3 * rows, cols, 2);
        nearfar::sharded::KnnAccuracy<float>({.k = 4}).evaluate(
            {e, schedule}, queries, random_labels(3 * rows, 5, 3), references,
            random_labels(rows, 5, 4));
      });
      EXPECT_EQ(static_cast<Index>(bytes), hops * rows * (cols * 4 + 8));
    }
  }
}

TEST(ShardedKnnCalls, HoldOneShardOfTheOthers) {
  const auto bytes = [&](int size, Schedule schedule) {
    std::size_t of_first = 0;
    run_team(size, [&](Exchange& e) {
      const Matrix<float> x = random_rows<float>(300, 24, static_cast<std::uint64_t>(e.rank()));
      nearfar::Workspace workspace(1);
      nearfar::sharded::KnnAccuracy<float>({.k = 20}).evaluate(
          {e, schedule}, x, random_labels(300, 5, 3), {.workspace = &workspace});
      if (e.rank() == 0) of_first = workspace.bytes();
    });
    return static_cast<double>(of_first);
  };
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered}) {
    EXPECT_LT(bytes(8, schedule), 1.02 * bytes(2, schedule));
  }
}

/// The error of one process is thrown on all, and the next call succeeds.
TEST(ShardedKnnCalls, RefuseWhatDoesNotFitOnAllProcesses) {
  run_team(3, [&](Exchange& e) {
    const bool mine = e.rank() == 1;
    const Matrix<float> x = random_rows<float>(6, 4, 1);
    const std::vector<int> labels = {0, 1, 2, 0, 1, 2};
    const nearfar::sharded::KnnAccuracy<float> metric({.k = 3});
    const double accuracy = metric.evaluate(e, x, labels).accuracy;
    const auto refused = [&](const auto& call, const std::string& text) {
      expect_error_everywhere(call, text);
      EXPECT_EQ(metric.evaluate(e, x, labels).accuracy, accuracy);
    };
    Matrix<float> bad = x;
    if (mine) bad(2, 3) = std::numeric_limits<float>::quiet_NaN();
    refused([&] { metric.evaluate(e, bad, labels); },
            "nearfar: rank 1: x: wanted finite elements, got NaN at row 2, column 3");
    refused([&] { metric.evaluate(e, x, labels, bad, labels); },
            "nearfar: rank 1: references: wanted finite elements, got NaN at row 2, column 3");
    const std::vector<int> few(mine ? 5 : 6, 1);
    refused([&] { metric.evaluate(e, x, few); }, "nearfar: rank 1: labels: wanted 6");
    refused([&] { metric.evaluate(e, x, few, x, labels); },
            "nearfar: rank 1: query_labels: wanted 6");
    refused([&] { metric.evaluate(e, x, labels, x, few); },
            "nearfar: rank 1: reference_labels: wanted 6");
    refused(
        [&] { nearfar::sharded::KnnAccuracy<float>({.k = mine ? 4 : 3}).evaluate(e, x, labels); },
        "nearfar: rank 1: k: wanted 3 as on rank 0, got 4");
    refused(
        [&] {
          nearfar::sharded::KnnAccuracy<float>(
              {.vote = mine ? KnnVote::majority : KnnVote::weighted})
              .evaluate(e, x, labels);
        },
        "nearfar: rank 1: vote: wanted 0 as on rank 0, got 1");
    Matrix<float> d_parameter;
    refused([&] { metric.evaluate(e, x, labels, {.d_parameter = d_parameter}); },
            "d_parameter: wanted none, as metrics have no gradient");
    const nearfar::sharded::KnnAccuracy<float, nearfar::InnerProduct> products;
    refused([&] { products.evaluate(e, mine ? Matrix<float>(1e30F * x) : x, labels); },
            "x and x: wanted rows whose inner products fit the scalar type");
  });
}

}  // namespace
