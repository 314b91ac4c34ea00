#include <gtest/gtest.h>

#include <nearfar/metrics/retrieval.hpp>

#include "metrics/retrieval_oracle.hpp"
#include "support/errors.hpp"

/// Retrieval metrics with all kinds of targets, and with keys left out of the candidates.

namespace {

using namespace support;
using namespace ranking;
using nearfar::MultiLabels;
using nearfar::PositiveLists;
using nearfar::Retrieval;
using nearfar::RetrievalOptions;
using nearfar::Targets;

/// Sets of labels in two words a row.
std::vector<std::uint64_t> random_words(Index rows, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::uint64_t> out;
  for (Index i = 0; i < rows; ++i) {
    out.push_back(std::uint64_t(1) << random.below(30));
    out.push_back(std::uint64_t(5) << random.below(20));
  }
  return out;
}

auto share_a_label(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  return [&](Index i, Index j) {
    const auto p = static_cast<std::size_t>(2 * i);
    const auto q = static_cast<std::size_t>(2 * j);
    return ((a[p] & b[q]) | (a[p + 1] & b[q + 1])) != 0;
  };
}

auto equal(const Labels& a, const Labels& b) {
  return [&](Index i, Index j) {
    return a[static_cast<std::size_t>(i)] == b[static_cast<std::size_t>(j)];
  };
}

/// Lists of every 7th key, with weights of few values and none for some queries.
struct Lists {
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  std::vector<double> weights;

  static bool holds(Index i, Index j) { return i % 5 != 0 && (i + j) % 7 == 0; }
  static double weight(Index i, Index j) { return static_cast<double>((i + 3 * j) % 4) + 0.5; }

  Lists(Index queries, Index keys) {
    for (Index i = 0; i < queries; ++i) {
      for (Index j = 0; j < keys; ++j) {
        if (!holds(i, j)) continue;
        columns.push_back(j);
        weights.push_back(weight(i, j));
      }
      offsets.push_back(std::ssize(columns));
    }
  }
};

template <class Case>
class RetrievalTargetsOfKernels : public testing::Test {};
TYPED_TEST_SUITE(RetrievalTargetsOfKernels, AllKernels, CaseNames);

/// More references than a tile is wide.
TYPED_TEST(RetrievalTargetsOfKernels, OfAllKinds) {
  using S = typename TypeParam::Scalar;
  using K = typename TypeParam::Kernel;
  const TypeParam kernels(5);
  const K kernel = kernels.kernel();
  const Index n = 40;
  const Index m = 430;
  const Set<S> queries = random_set<S>(n, kernels.query_cols, 30, 1);
  const Set<S> keys = random_set<S>(m, kernels.key_cols, 30, 2);
  const Distances d = computed_distances<S>(kernel, queries.x, keys.x, false);
  const std::vector<Index> ks = {1, 3, 20, 1000};
  const Retrieval<S, K> retrieval({.ks = ks, .per_query = true, .average_precision = true}, kernel);
  const auto query_words = random_words(n, 3);
  const auto key_words = random_words(m, 4);
  const Labels query_ids = labels_of(n, [](Index i) { return i % 13; });
  const Labels key_ids = labels_of(m, [](Index j) { return j % 17; });
  const auto same_id = equal(query_ids, key_ids);
  const MultiLabels query_sets{query_words.data(), n, 2};
  const MultiLabels key_sets{key_words.data(), m, 2};
  const Lists lists(n, m);

  expect_alike(retrieval.evaluate(queries.x, query_sets, keys.x, key_sets),
               expected(d, {.positive = share_a_label(query_words, key_words)}, ks));
  expect_alike(
      retrieval.evaluate(queries.x, PositiveLists{lists.offsets, lists.columns}, keys.x, Targets()),
      expected(d, {.positive = &Lists::holds}, ks));
  expect_alike(
      retrieval.evaluate(queries.x, PositiveLists{lists.offsets, lists.columns, lists.weights},
                         keys.x, Targets()),
      expected(d, {.positive = &Lists::holds, .gain = &Lists::weight}, ks));

  expect_alike(
      retrieval.evaluate(queries.x, Targets(queries.labels).ids(query_ids), keys.x,
                         Targets(keys.labels).ids(key_ids)),
      expected(d, {.positive = equal(queries.labels, keys.labels), .left_out = same_id}, ks));
  expect_alike(
      retrieval.evaluate(queries.x, Targets(query_sets).ids(query_ids), keys.x,
                         Targets(key_sets).ids(key_ids)),
      expected(d, {.positive = share_a_label(query_words, key_words), .left_out = same_id}, ks));
  const PositiveLists weighted{lists.offsets, lists.columns, lists.weights};
  expect_alike(
      retrieval.evaluate(queries.x, Targets(weighted).ids(query_ids), keys.x,
                         Targets().ids(key_ids)),
      expected(d, {.positive = &Lists::holds, .left_out = same_id, .gain = &Lists::weight}, ks));
}

template <class S>
class RetrievalTargets : public testing::Test {};
TYPED_TEST_SUITE(RetrievalTargets, Scalars, CaseNames);

TYPED_TEST(RetrievalTargets, OfABatch) {
  using S = TypeParam;
  const Index n = 400;
  const Set<S> set = tied_set<S>(n, 3, 30, 1);  // with ties
  const oracle::Matrix x = oracle::exact(set.x);
  const Distances d = exact_distances(oracle::SquaredEuclidean(), x, x, true);
  const std::vector<Index> ks = {1, 5, 500};
  const Retrieval<S, nearfar::SquaredEuclidean> retrieval(
      {.ks = ks, .per_query = true, .average_precision = true});
  const auto words = random_words(n, 3);
  const Labels ids = labels_of(n, [](Index i) { return i % 150; });
  const Lists lists(n, n);
  expect_alike(retrieval.evaluate(set.x, MultiLabels{words.data(), n, 2}),
               expected(d, {.positive = share_a_label(words, words)}, ks));
  expect_alike(
      retrieval.evaluate(set.x, PositiveLists{lists.offsets, lists.columns, lists.weights}),
      expected(d, {.positive = &Lists::holds, .gain = &Lists::weight}, ks));
  expect_alike(
      retrieval.evaluate(set.x, Targets(set.labels).ids(ids)),
      expected(d, {.positive = equal(set.labels, set.labels), .left_out = equal(ids, ids)}, ks));
}

/// Unlabelled keys are no candidates, and unlabelled queries have no positive.
TYPED_TEST(RetrievalTargets, UnlabelledRowsAreNoCandidates) {
  using S = TypeParam;
  const Index n = 230;
  Set<S> queries = random_set<S>(n, 4, 8, 1);
  Set<S> keys = random_set<S>(500, 4, 8, 2);
  for (std::size_t i = 0; i < queries.labels.size(); i += 11) queries.labels[i] = -1;
  for (std::size_t j = 0; j < keys.labels.size(); j += 3) keys.labels[j] = -1;
  const Labels query_ids = labels_of(n, [](Index i) { return i % 13; });
  const Labels key_ids = labels_of(500, [](Index j) { return j % 17; });
  const std::vector<Index> ks = {1, 10, 1000};
  const Retrieval<S, nearfar::Euclidean> retrieval(
      {.ks = ks, .per_query = true, .average_precision = true, .unlabelled = -1});
  const auto relevance = [](const Labels& a, const Labels& b,
                            const std::function<bool(Index, Index)>& out) {
    return Relevance{.positive = equal(a, b), .left_out = [&b, out](Index i, Index j) {
                       return b[static_cast<std::size_t>(j)] == -1 || out(i, j);
                     }};
  };
  const auto nobody = [](Index, Index) { return false; };
  const Distances d = computed_distances<S>(nearfar::Euclidean(), queries.x, keys.x, false);
  expect_alike(retrieval.evaluate(queries.x, queries.labels, keys.x, keys.labels),
               expected(d, relevance(queries.labels, keys.labels, nobody), ks));
  expect_alike(retrieval.evaluate(queries.x, Targets(queries.labels).ids(query_ids), keys.x,
                                  Targets(keys.labels).ids(key_ids)),
               expected(d, relevance(queries.labels, keys.labels, equal(query_ids, key_ids)), ks));
  expect_alike(retrieval.evaluate(keys.x, keys.labels),
               expected(computed_distances<S>(nearfar::Euclidean(), keys.x, keys.x, true),
                        relevance(keys.labels, keys.labels, nobody), ks));
  // There are no candidates.
  const auto none = retrieval.evaluate(queries.x, queries.labels, keys.x, Labels(500, -1));
  EXPECT_EQ(none.queries_without_positive, n);
}

TYPED_TEST(RetrievalTargets, GradedGainsByHand) {
  using S = TypeParam;
  // References at 1, 2, 3, 4 with gains 1, 0, 3, 2.
  Matrix<S> references(4, 1);
  references << 1, 2, 3, 4;
  const std::vector<Index> offsets = {0, 3};
  const std::vector<Index> columns = {0, 2, 3};
  const std::vector<double> weights = {1, 3, 2};
  const Retrieval<S, nearfar::Euclidean> retrieval({.ks = {1, 3, 4}});
  const auto r =
      retrieval.evaluate(Matrix<S>(Matrix<S>::Zero(1, 1)), PositiveLists{offsets, columns, weights},
                         references, Targets());
  const double second = std::log2(3.0);
  const double fourth = std::log2(5.0);
  EXPECT_DOUBLE_EQ(r.ndcg[0], 1.0 / 3);
  EXPECT_DOUBLE_EQ(r.ndcg[1], (1 + 3.0 / 2) / (3 + 2 / second + 1.0 / 2));
  EXPECT_DOUBLE_EQ(r.ndcg[2], (1 + 3.0 / 2 + 2 / fourth) / (3 + 2 / second + 1.0 / 2));
  EXPECT_DOUBLE_EQ(r.precision[1], 2.0 / 3);
}

TYPED_TEST(RetrievalTargets, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 12, 1);
  const Lists lists(430, 430);
  const PositiveLists weighted{lists.offsets, lists.columns, lists.weights};
  const Retrieval<S> retrieval({.per_query = true, .average_precision = true});
  nearfar::Workspace alone(1);
  const auto want = retrieval.evaluate(set.x, weighted, {.workspace = &alone});
  for (const int threads : {2, 5}) {
    nearfar::Workspace workspace(threads);
    const auto got = retrieval.evaluate(set.x, weighted, {.workspace = &workspace});
    EXPECT_EQ(got.ndcg, want.ndcg);
    EXPECT_EQ(got.ndcg_per_query, want.ndcg_per_query);
    EXPECT_EQ(got.mean_average_precision, want.mean_average_precision);
  }
}

TYPED_TEST(RetrievalTargets, ThatDoNotFitAreRefused) {
  using S = TypeParam;
  const Set<S> five = random_set<S>(5, 4, 2, 1);
  const std::vector<double> weights(5, 1.0);
  const auto words = random_words(5, 3);
  const MultiLabels sets{words.data(), 5, 2};
  const MultiLabels few{words.data(), 4, 2};
  const Lists lists(5, 9);
  const Retrieval<S> retrieval;
  const Retrieval<S> with_junk({.unlabelled = -1});
  const BadCall table[] = {
      {"nothing",
       Thrown::invalid_argument,
       {"labels: wanted labels, or lists of positives, got nothing"},
       [&] { retrieval.evaluate(five.x, Targets()); }},
      {"sets of another count",
       Thrown::invalid_argument,
       {"reference_labels: wanted 5 sets of labels", "got 4"},
       [&] { retrieval.evaluate(five.x, sets, five.x, few); }},
      {"columns that are none",
       Thrown::invalid_argument,
       {"labels: wanted columns from 0 to 4"},
       [&] {
         retrieval.evaluate(five.x, PositiveLists{lists.offsets, lists.columns});
       }},
      {"ids of one side",
       Thrown::invalid_argument,
       {"reference_labels: wanted ids"},
       [&] {
         retrieval.evaluate(five.x, Targets(five.labels).ids(five.labels), five.x, five.labels);
       }},
      {"weights of queries",
       Thrown::invalid_argument,
       {"labels: wanted no weights of queries"},
       [&] { retrieval.evaluate(five.x, Targets(five.labels).weights(weights)); }},
      {"unlabelled sets",
       Thrown::invalid_argument,
       {"unlabelled: wanted nothing"},
       [&] { with_junk.evaluate(five.x, sets); }},
  };
  for (const BadCall& one : table) expect_refused(one);
}

}  // namespace
