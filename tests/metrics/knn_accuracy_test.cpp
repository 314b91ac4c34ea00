#include <gtest/gtest.h>

#include <map>
#include <nearfar/kernels/mahalanobis.hpp>
#include <nearfar/metrics/knn_accuracy.hpp>

#include "metrics/ranking_oracle.hpp"
#include "support/allocations.hpp"
#include "support/errors.hpp"
#include "support/options.hpp"

/// Votes of the nearest keys against complete rankings and votes counted in a map.

namespace {

using namespace support;
using namespace ranking;
using nearfar::KnnAccuracy;
using nearfar::KnnOptions;
using nearfar::KnnResult;
using nearfar::KnnVote;
using nearfar::Workspace;

// ---- the oracle --------------------------------------------------------------------------------

/// Labels that may win for a query: more than one only if rounding errors decide.
std::vector<std::int64_t> winners(const Distances& distances, Index i, const Labels& labels,
                                  const KnnOptions& options) {
  std::vector<Index> order = distances.order(i);
  order.resize(std::min(order.size(), static_cast<std::size_t>(options.k)));
  std::map<std::int64_t, Real> votes;  // in order of labels
  for (const Index j : order) {
    const Real behind = distances.d(i, j) - distances.d(i, order[0]);
    votes[labels[static_cast<std::size_t>(j)]] +=
        options.vote == KnnVote::majority ? 1 : std::exp(-behind / Real(options.temperature));
  }
  Real most = 0;
  for (const auto& [label, weight] : votes) most = std::max(most, weight);
  std::vector<std::int64_t> out;
  for (const auto& [label, weight] : votes) {
    if (weight == most || (weight > most * (1 - 1e-12L) && options.vote == KnnVote::weighted)) {
      out.push_back(label);
    }
  }
  return out;
}

/// `exactly`: votes have no rounding errors, and of equal ones the lowest label wins.
void expect_votes(const KnnResult& got, const Distances& distances, const Labels& query_labels,
                  const Labels& reference_labels, const KnnOptions& options, bool exactly) {
  const Index queries = distances.d.rows();
  const bool nobody = distances.d.cols() == (distances.same_rows ? 1 : 0);
  ASSERT_EQ(got.queries, queries);
  EXPECT_EQ(got.queries_without_neighbour, nobody ? queries : 0);
  std::int64_t correct = 0;
  if (nobody || queries == 0) {
    EXPECT_TRUE(got.predictions.empty());
  } else {
    ASSERT_EQ(got.predictions.size(), static_cast<std::size_t>(queries));
    for (Index i = 0; i < queries; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const auto wanted = winners(distances, i, reference_labels, options);
      const std::int64_t label = got.predictions[at];
      if (exactly || wanted.size() == 1) {
        ASSERT_EQ(label, wanted[0]) << "query " << i;
      } else {
        ASSERT_NE(std::find(wanted.begin(), wanted.end(), label), wanted.end()) << "query " << i;
      }
      correct += label == query_labels[at] ? 1 : 0;
    }
  }
  EXPECT_EQ(got.correct, correct);
  EXPECT_EQ(got.accuracy,
            queries > 0 ? static_cast<double>(correct) / static_cast<double>(queries) : 0);
}

std::vector<KnnOptions> settings() {
  std::vector<KnnOptions> out;
  for (const KnnVote vote : {KnnVote::weighted, KnnVote::majority}) {
    for (const Index k : {1, 2, 7, 60, 1000}) {
      out.push_back({.k = k, .temperature = 0.3, .vote = vote, .per_query = true});
    }
  }
  return out;
}

// ---- every kernel ------------------------------------------------------------------------------

template <class Case>
class KnnOfKernels : public testing::Test {};
TYPED_TEST_SUITE(KnnOfKernels, AllKernels, CaseNames);

TYPED_TEST(KnnOfKernels, PredictsWhatTheNearestVoteFor) {
  using S = typename TypeParam::Scalar;
  using K = typename TypeParam::Kernel;
  const TypeParam kernels(5);
  const K kernel = kernels.kernel();
  const Set<S> queries = random_set<S>(37, kernels.query_cols, 9, 8);
  for (const auto& [name, set] : hard_sets<S>(kernels.key_cols)) {
    const bool batch_too = kernels.query_cols == kernels.key_cols;
    const Distances to_set = computed_distances<S>(kernel, queries.x, set.x, false);
    const Distances within =
        batch_too ? computed_distances<S>(kernel, set.x, set.x, true) : Distances();
    for (const KnnOptions& options : settings()) {
      SCOPED_TRACE(name + ", k " + std::to_string(options.k));
      const KnnAccuracy<S, K> knn(options, kernel);
      const bool exactly = options.vote == KnnVote::majority;
      expect_votes(knn.evaluate(queries.x, queries.labels, set.x, set.labels), to_set,
                   queries.labels, set.labels, options, exactly);
      if (!batch_too) continue;
      expect_votes(knn.evaluate(set.x, set.labels), within, set.labels, set.labels, options,
                   exactly);
    }
  }
}

template <class S>
class KnnOf : public testing::Test {};
TYPED_TEST_SUITE(KnnOf, Scalars, CaseNames);

TYPED_TEST(KnnOf, SetsLargerThanATile) {
  using S = TypeParam;
  const Set<S> queries = random_set<S>(210, 4, 6, 1);
  const Set<S> references = random_set<S>(900, 4, 6, 2);
  const Distances d = computed_distances<S>(nearfar::Cosine(), queries.x, references.x, false);
  for (const KnnOptions& options : settings()) {
    expect_votes(KnnAccuracy<S>(options).evaluate(queries.x, queries.labels, references.x,
                                                  references.labels),
                 d, queries.labels, references.labels, options, options.vote == KnnVote::majority);
  }
}

TEST(KnnOfRandomRows, HasRanksOfExactScores) {
  const Set<double> set = random_set<double>(150, 6, 4, 6);
  const oracle::Matrix x = oracle::exact(set.x);
  for (const KnnOptions& options : settings()) {
    const bool exactly = options.vote == KnnVote::majority;
    expect_votes(KnnAccuracy<double>(options).evaluate(set.x, set.labels),
                 exact_distances(oracle::Cosine(), x, x, true), set.labels, set.labels, options,
                 exactly);
    expect_votes(KnnAccuracy<double, nearfar::Euclidean>(options).evaluate(set.x, set.labels),
                 exact_distances(oracle::Euclidean(), x, x, true), set.labels, set.labels, options,
                 exactly);
  }
}

// ---- by hand -----------------------------------------------------------------------------------

/// The prediction for a query at 0 from references on a line.
template <class S>
std::int64_t vote_on_a_line(const std::vector<double>& places, const Labels& labels,
                            KnnOptions options) {
  Matrix<S> references(static_cast<Index>(places.size()), 1);
  for (Index j = 0; j < references.rows(); ++j) {
    references(j, 0) = static_cast<S>(places[static_cast<std::size_t>(j)]);
  }
  options.per_query = true;
  const KnnAccuracy<S, nearfar::Euclidean> knn(options);
  const KnnResult r =
      knn.evaluate(Matrix<S>(Matrix<S>::Zero(1, 1)), std::vector<int>{0}, references, labels);
  return r.predictions.at(0);
}

TYPED_TEST(KnnOf, AWeightedVoteCountsTheNearMore) {
  using S = TypeParam;
  const std::vector<double> places = {1, 2, 2.5};
  const Labels labels = {8, 3, 3};
  EXPECT_EQ(vote_on_a_line<S>(places, labels, {.k = 3, .vote = KnnVote::majority}), 3);
  // exp(-1) + exp(-1.5) = 0.59 < 1; at tau = 10 the three have nearly equal votes.
  EXPECT_EQ(vote_on_a_line<S>(places, labels, {.k = 3, .temperature = 1}), 8);
  EXPECT_EQ(vote_on_a_line<S>(places, labels, {.k = 3, .temperature = 10}), 3);
  EXPECT_EQ(vote_on_a_line<S>(places, labels, {.k = 1, .vote = KnnVote::majority}), 8);
}

TYPED_TEST(KnnOf, EqualVotesGoToTheLowestLabel) {
  using S = TypeParam;
  const Labels labels = {5, -7, 5, -7, 6};
  // Two votes each, with the same weights; and a tie of all rows, where the first k vote.
  const std::vector<double> mirrored = {1, -1, -3, 3, 9};
  EXPECT_EQ(vote_on_a_line<S>({1, 1, 2, 2, 9}, labels, {.k = 4, .vote = KnnVote::majority}), -7);
  EXPECT_EQ(vote_on_a_line<S>({1, 1, 2, 2, 9}, labels, {.k = 4}), -7);
  EXPECT_EQ(vote_on_a_line<S>(mirrored, labels, {.k = 4, .vote = KnnVote::majority}), -7);
  EXPECT_EQ(vote_on_a_line<S>({4, 4, 4, 4, 4}, labels, {.k = 1}), 5);
  EXPECT_EQ(vote_on_a_line<S>({4, 4, 4, 4, 4}, labels, {.k = 3}), 5);
  EXPECT_EQ(vote_on_a_line<S>({4, 4, 4, 4, 4}, labels, {.k = 5}), -7);
}

TYPED_TEST(KnnOf, FarNeighboursAndTinyTemperaturesStillVote) {
  using S = TypeParam;
  const double far = sizeof(S) == sizeof(float) ? 1e17 : 1e150;
  EXPECT_EQ(vote_on_a_line<S>({far, 2 * far}, {4, 1}, {.k = 2}), 4);
  EXPECT_EQ(vote_on_a_line<S>({1, 2}, {4, 1}, {.k = 2, .temperature = 1e-320}), 4);
  EXPECT_EQ(vote_on_a_line<S>({1, 2}, {4, 1}, {.k = 2, .temperature = 1e300}), 1);
}

TYPED_TEST(KnnOf, NothingIsZeroAndNotNaN) {
  using S = TypeParam;
  const Set<S> five = random_set<S>(5, 3, 1, 1);
  const Set<S> none{Matrix<S>(0, 0), {}};
  const KnnAccuracy<S> knn({.per_query = true});
  const auto expect_zero = [](const KnnResult& r, std::int64_t queries) {
    EXPECT_EQ(r.accuracy, 0);
    EXPECT_EQ(r.correct, 0);
    EXPECT_EQ(r.queries, queries);
    EXPECT_EQ(r.queries_without_neighbour, queries);
    EXPECT_TRUE(r.predictions.empty());
  };
  expect_zero(knn.evaluate(none.x, none.labels), 0);
  expect_zero(knn.evaluate(none.x, none.labels, five.x, five.labels), 0);
  expect_zero(knn.evaluate(five.x, five.labels, none.x, none.labels), 5);
  expect_zero(knn.evaluate(five.x.topRows(1), Labels{3}), 1);
  EXPECT_EQ(knn.evaluate(five.x.topRows(1), Labels{3}, five.x, Labels(5, 3)).accuracy, 1);
}

// ---- contracts ---------------------------------------------------------------------------------

TYPED_TEST(KnnOf, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 5, 1);
  const KnnAccuracy<S> knn({.k = 20, .per_query = true});
  Workspace alone(1);
  const KnnResult want = knn.evaluate(set.x, set.labels, {.workspace = &alone});
  for (const int threads : {2, 3, 7}) {
    Workspace workspace(threads);
    const KnnResult got = knn.evaluate(set.x, set.labels, {.workspace = &workspace});
    EXPECT_EQ(got.accuracy, want.accuracy);
    EXPECT_EQ(got.predictions, want.predictions);
  }
}

TYPED_TEST(KnnOf, ASecondCallAllocatesItsResultAlone) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 5, 1);
  for (const bool per_query : {false, true}) {
    const KnnAccuracy<S> knn({.per_query = per_query});
    Workspace workspace(1);
    knn.evaluate(set.x, set.labels, {.workspace = &workspace});
    const long before = allocations;
    knn.evaluate(set.x, set.labels, {.workspace = &workspace});
    EXPECT_EQ(allocations - before, per_query ? 1 : 0);
  }
}

TYPED_TEST(KnnOf, OrderOfRowsDoesNotMatter) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(80, 6, 4, 1);
  const KnnAccuracy<S> knn({.k = 9, .per_query = true});
  const KnnResult want = knn.evaluate(set.x, set.labels);
  const auto order = random_order(80, 3);
  const KnnResult got =
      knn.evaluate(support::reordered(set.x, order), ranking::reordered(set.labels, order));
  EXPECT_EQ(got.accuracy, want.accuracy);
  EXPECT_EQ(got.predictions, ranking::reordered(want.predictions, order));
}

TYPED_TEST(KnnOf, BadInputIsRefused) {
  using S = TypeParam;
  const Set<S> five = random_set<S>(5, 4, 2, 1);
  const Set<S> six = random_set<S>(6, 4, 2, 2);
  const Matrix<S> wide = random_rows<S>(5, 6, 3);
  Matrix<S> bad = five.x;
  bad(2, 1) = std::numeric_limits<S>::infinity();
  const KnnAccuracy<S> knn;
  Workspace workspace;
  const nearfar::CallOptions<S> call{.workspace = &workspace};
  const BadCall table[] = {
      {"k of 0",
       Thrown::invalid_argument,
       {"k: wanted a number >= 1, got 0"},
       [] { KnnAccuracy<S>({.k = 0}); }},
      {"labels missing",
       Thrown::invalid_argument,
       {"labels: wanted 6 labels", "got 5"},
       [&] { knn.evaluate(six.x, five.labels, call); }},
      {"labels of references missing",
       Thrown::invalid_argument,
       {"reference_labels: wanted 5 labels", "got 6"},
       [&] { knn.evaluate(six.x, six.labels, five.x, six.labels, call); }},
      {"rows of another width",
       Thrown::invalid_argument,
       {"references: wanted 5 x 4, got 5 x 6"},
       [&] { knn.evaluate(six.x, six.labels, wide, five.labels, call); }},
      {"infinity in references",
       Thrown::domain_error,
       {"references: ", "infinity at row 2, column 1"},
       [&] { knn.evaluate(six.x, six.labels, bad, five.labels, call); }},
  };
  for (const BadCall& one : table) expect_refused(one);
  expect_must_be_positive("temperature", [](double v) { KnnAccuracy<S>({.temperature = v}); });
  EXPECT_NO_THROW(knn.evaluate(five.x, five.labels, call));  // the workspace is free again
}

/// One row is so far away that all others are near each other. With a label for each row, the
/// prediction is the nearest row.
template <class S>
void expect_nearest_beside_an_outlier(double at) {
  Matrix<S> x = random_rows<S>(60, 9, 1);
  x(59, 0) = static_cast<S>(at);
  const Matrix<S> p = random_rows<S>(5, 9, 2);
  Labels labels;
  for (Index i = 0; i < 60; ++i) labels.push_back(i);
  const nearfar::Mahalanobis<S> kernel(p);
  const KnnAccuracy<S, nearfar::Mahalanobis<S>> accuracy({.k = 1, .per_query = true}, kernel);
  const KnnResult got = accuracy.evaluate(x, labels);
  const oracle::Matrix mapped = oracle::exact(x) * oracle::exact(p).transpose();
  for (Index i = 0; i < 59; ++i) {
    Index nearest = i == 0 ? 1 : 0;
    for (Index j = 0; j < 60; ++j) {
      const Real distance = (mapped.row(i) - mapped.row(j)).norm();
      if (j != i && distance < (mapped.row(i) - mapped.row(nearest)).norm()) nearest = j;
    }
    EXPECT_EQ(got.predictions[static_cast<std::size_t>(i)], nearest) << "query " << i;
  }
}

TEST(KnnAccuracy, OfMahalanobisFindsTheNearestBesideAnOutlier) {
  expect_nearest_beside_an_outlier<float>(1e8);
  expect_nearest_beside_an_outlier<double>(1e15);
}

}  // namespace
