#include <gtest/gtest.h>

#include <nearfar/metrics/retrieval.hpp>

#include "metrics/retrieval_oracle.hpp"

/// Retrieval metrics against complete rankings.

namespace {

using namespace support;
using namespace ranking;
using nearfar::Retrieval;
using nearfar::RetrievalOptions;
using nearfar::RetrievalResult;

const std::vector<std::vector<Index>> cut_offs = {{}, {1}, {5, 1, 1000, 5}, {1, 2, 4, 8, 59, 60}};

// ---- every kernel ------------------------------------------------------------------------------

template <class Case>
class RetrievalOfKernels : public testing::Test {};
TYPED_TEST_SUITE(RetrievalOfKernels, AllKernels, CaseNames);

TYPED_TEST(RetrievalOfKernels, IsThatOfAWholeSort) {
  using S = typename TypeParam::Scalar;
  using K = typename TypeParam::Kernel;
  const TypeParam kernels(5);
  const K kernel = kernels.kernel();
  for (const auto& [name, references] : hard_sets<S>(kernels.key_cols)) {
    for (const Set<S>& queries :
         {random_set<S>(37, kernels.query_cols, 9, 8), tied_set<S>(21, kernels.query_cols, 4, 9)}) {
      const Distances d = computed_distances<S>(kernel, queries.x, references.x, false);
      for (const std::vector<Index>& ks : cut_offs) {
        SCOPED_TRACE(name + ", " + std::to_string(ks.size()) + " cut-offs");
        const Retrieval<S, K> retrieval({.ks = ks, .per_query = true, .average_precision = true},
                                        kernel);
        expect_alike(retrieval.evaluate(queries.x, queries.labels, references.x, references.labels),
                     expected(d, queries.labels, references.labels, ks));
      }
    }
  }
}

TYPED_TEST(RetrievalOfKernels, OfABatchLeavesEachRowItselfOut) {
  using S = typename TypeParam::Scalar;
  using K = typename TypeParam::Kernel;
  const TypeParam kernels(5);
  if (kernels.query_cols != kernels.key_cols) return;  // see the square bilinear kernel below
  const K kernel = kernels.kernel();
  for (const auto& [name, set] : hard_sets<S>(kernels.key_cols)) {
    const Distances d = computed_distances<S>(kernel, set.x, set.x, true);
    for (const std::vector<Index>& ks : cut_offs) {
      SCOPED_TRACE(name + ", " + std::to_string(ks.size()) + " cut-offs");
      const Retrieval<S, K> retrieval({.ks = ks, .per_query = true, .average_precision = true},
                                      kernel);
      expect_alike(retrieval.evaluate(set.x, set.labels), expected(d, set.labels, set.labels, ks));
    }
  }
}

template <class S>
class RetrievalOf : public testing::Test {};
TYPED_TEST_SUITE(RetrievalOf, Scalars, CaseNames);

TYPED_TEST(RetrievalOf, ABatchMayHaveAnAsymmetricKernel) {
  using S = TypeParam;
  const Matrix<S> weight = random_rows<S>(6, 6, 3);
  const nearfar::Bilinear<S> kernel(weight);
  const Set<S> set = random_set<S>(45, 6, 5, 2);
  const Retrieval<S, nearfar::Bilinear<S>> retrieval(
      {.ks = {1, 7}, .per_query = true, .average_precision = true}, kernel);
  expect_alike(
      retrieval.evaluate(set.x, set.labels),
      expected(computed_distances<S>(kernel, set.x, set.x, true), set.labels, set.labels, {1, 7}));
}

// ---- scores from their definitions -------------------------------------------------------------

template <class S, class K, class O>
void expect_exact(const Set<S>& set) {
  const oracle::Matrix x = oracle::exact(set.x);
  const std::vector<Index> ks = {1, 3, 10, 100};
  const Retrieval<S, K> retrieval({.ks = ks, .per_query = true, .average_precision = true});
  expect_alike(retrieval.evaluate(set.x, set.labels),
               expected(exact_distances(O(), x, x, true), set.labels, set.labels, ks));
}

/// Ties and duplicates, exact in either type.
TYPED_TEST(RetrievalOf, TiesGoToTheLowestIndex) {
  using S = TypeParam;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    for (const Index n : {14, 96, 400}) {
      const Set<S> set = tied_set<S>(n, 3, 5, seed);
      expect_exact<S, nearfar::InnerProduct, oracle::InnerProduct>(set);
      expect_exact<S, nearfar::Euclidean, oracle::Euclidean>(set);
      expect_exact<S, nearfar::SquaredEuclidean, oracle::SquaredEuclidean>(set);
    }
  }
}

TEST(RetrievalOfRandomRows, HasRanksOfExactScores) {
  const Set<double> set = random_set<double>(300, 8, 11, 6);
  expect_exact<double, nearfar::Cosine, oracle::Cosine>(set);
  expect_exact<double, nearfar::CosineDistance, oracle::CosineDistance>(set);
  expect_exact<double, nearfar::Euclidean, oracle::Euclidean>(set);
}

/// More keys than a tile is wide, more queries than a panel has; classes so large that most keys
/// are kept, and so small that few are.
TYPED_TEST(RetrievalOf, SetsLargerThanATile) {
  using S = TypeParam;
  for (const int classes : {2, 9, 300}) {
    SCOPED_TRACE(classes);
    const Set<S> queries = random_set<S>(210, 4, classes, 1);
    const Set<S> references = random_set<S>(900, 4, classes, 2);
    const std::vector<Index> ks = {1, 10, 800};
    const Retrieval<S, nearfar::Euclidean> retrieval(
        {.ks = ks, .per_query = true, .average_precision = true});
    expect_alike(
        retrieval.evaluate(queries.x, queries.labels, references.x, references.labels),
        expected(computed_distances<S>(nearfar::Euclidean(), queries.x, references.x, false),
                 queries.labels, references.labels, ks));
  }
}

// ---- by hand -----------------------------------------------------------------------------------

/// A query at 0 and references at 1, 2, 3, ... on a line, so that positions are ranks.
template <class S>
RetrievalResult on_a_line(const std::vector<int>& reference_labels, RetrievalOptions options) {
  Matrix<S> references(static_cast<Index>(reference_labels.size()), 1);
  for (Index j = 0; j < references.rows(); ++j) references(j, 0) = static_cast<S>(j + 1);
  const Retrieval<S, nearfar::Euclidean> retrieval(std::move(options));
  return retrieval.evaluate(Matrix<S>(Matrix<S>::Zero(1, 1)), std::vector<int>{1}, references,
                            reference_labels);
}

TYPED_TEST(RetrievalOf, ByHand) {
  using S = TypeParam;
  // Positives at ranks 2, 3, 6, 8; R = 4.
  const auto r = on_a_line<S>({0, 1, 1, 0, 0, 1, 0, 1}, {.ks = {1, 2, 3, 4, 8, 20}});
  EXPECT_EQ(r.recall, (std::vector<double>{0, 1, 1, 1, 1, 1}));
  EXPECT_EQ(r.precision, (std::vector<double>{0, 0.5, 2.0 / 3, 0.5, 0.5, 0.5}));
  EXPECT_EQ(r.r_precision, 0.5);
  EXPECT_EQ(r.map_at_r, (0.5 + 2.0 / 3) / 4);
  EXPECT_EQ(r.mean_reciprocal_rank, 0.5);
  EXPECT_EQ(r.mean_average_precision, 0);  // not wanted
  const auto full = on_a_line<S>({0, 1, 1, 0, 0, 1, 0, 1}, {.ks = {}, .average_precision = true});
  EXPECT_DOUBLE_EQ(full.mean_average_precision, (1.0 / 2 + 2.0 / 3 + 3.0 / 6 + 4.0 / 8) / 4);
  const auto discount = [](double rank) { return 1 / std::log2(1 + rank); };
  const double ideal = discount(1) + discount(2) + discount(3);
  EXPECT_EQ(r.ndcg[0], 0);
  EXPECT_DOUBLE_EQ(r.ndcg[1], discount(2) / (discount(1) + discount(2)));
  EXPECT_DOUBLE_EQ(r.ndcg[2], (discount(2) + discount(3)) / ideal);
  EXPECT_DOUBLE_EQ(r.ndcg[3], (discount(2) + discount(3)) / (ideal + discount(4)));
  EXPECT_DOUBLE_EQ(r.ndcg[5],
                   (discount(2) + discount(3) + discount(6) + discount(8)) / (ideal + discount(4)));
  EXPECT_EQ(r.queries, 1);
  EXPECT_EQ(r.queries_without_positive, 0);
  EXPECT_TRUE(r.per_query.empty());
  EXPECT_TRUE(r.precision_per_query.empty());
}

/// The example of Musgrave et al., section 3.2: MAP@R depends on the order, R-precision does not.
TYPED_TEST(RetrievalOf, AveragePrecisionDependsOnTheOrder) {
  using S = TypeParam;
  std::vector<int> first(20, 0);
  std::fill(first.begin() + 11, first.end(), 1);  // nine at ranks 12 .. 20
  std::vector<int> last = first;
  first[0] = 1;
  last[9] = 1;
  const auto near = on_a_line<S>(first, {});
  const auto far = on_a_line<S>(last, {});
  EXPECT_DOUBLE_EQ(near.r_precision, 0.1);
  EXPECT_DOUBLE_EQ(far.r_precision, 0.1);
  EXPECT_DOUBLE_EQ(near.map_at_r, 0.1);
  EXPECT_DOUBLE_EQ(far.map_at_r, 0.01);
}

/// The first positive's rank is exact far beyond every k and R.
TYPED_TEST(RetrievalOf, ReciprocalRankIsOverAllKeys) {
  using S = TypeParam;
  std::vector<int> labels(1000, 0);
  labels[776] = 1;
  const auto r = on_a_line<S>(labels, {.ks = {3}});
  EXPECT_EQ(r.mean_reciprocal_rank, 1.0 / 777);
  EXPECT_EQ(r.recall, std::vector<double>{0});
  EXPECT_EQ(r.map_at_r, 0);
}

TYPED_TEST(RetrievalOf, EqualRowsHaveTheRankOfTheirIndex) {
  using S = TypeParam;
  const Matrix<S> references = Matrix<S>::Constant(6, 2, S(0.7));
  const Retrieval<S> retrieval({.ks = {1, 3}});
  const auto r = retrieval.evaluate(references.topRows(1), std::vector<int>{1}, references,
                                    std::vector<int>{0, 0, 1, 1, 0, 0});
  EXPECT_EQ(r.mean_reciprocal_rank, 1.0 / 3);
  EXPECT_EQ(r.recall, (std::vector<double>{0, 1}));
  EXPECT_EQ(r.map_at_r, 0);
}

TYPED_TEST(RetrievalOf, QueriesWithoutAPositiveAreCountedAndLeftOut) {
  using S = TypeParam;
  Matrix<S> x(4, 1);
  x << 0, 1, 3, 9;
  const Retrieval<S, nearfar::Euclidean> retrieval({.ks = {1}});
  const auto r = retrieval.evaluate(x, std::vector<int>{5, 5, 6, 7});
  EXPECT_EQ(r.queries, 4);
  EXPECT_EQ(r.queries_without_positive, 2);
  EXPECT_EQ(r.recall, std::vector<double>{1});
  EXPECT_EQ(r.mean_reciprocal_rank, 1);
}

TYPED_TEST(RetrievalOf, NothingIsZeroAndNotNaN) {
  using S = TypeParam;
  const Set<S> five = random_set<S>(5, 3, 1, 1);
  const Set<S> none{Matrix<S>(0, 0), {}};
  const Retrieval<S> retrieval({.ks = {1, 2}, .per_query = true, .average_precision = true});
  const auto expect_zero = [](const RetrievalResult& r, std::int64_t queries) {
    EXPECT_EQ(r.recall, (std::vector<double>{0, 0}));
    EXPECT_EQ(r.precision, (std::vector<double>{0, 0}));
    EXPECT_EQ(r.map_at_r, 0);
    EXPECT_EQ(r.r_precision, 0);
    EXPECT_EQ(r.mean_reciprocal_rank, 0);
    EXPECT_EQ(r.queries, queries);
    EXPECT_EQ(r.queries_without_positive, queries);
    EXPECT_EQ(r.per_query.size(), static_cast<std::size_t>(queries));
    EXPECT_EQ(r.ndcg, (std::vector<double>{0, 0}));
    EXPECT_EQ(r.mean_average_precision, 0);
    EXPECT_EQ(r.precision_per_query, std::vector<double>(static_cast<std::size_t>(2 * queries), 0));
    EXPECT_EQ(r.ndcg_per_query, r.precision_per_query);
  };
  expect_zero(retrieval.evaluate(none.x, none.labels), 0);
  expect_zero(retrieval.evaluate(none.x, none.labels, five.x, five.labels), 0);
  expect_zero(retrieval.evaluate(five.x, five.labels, none.x, none.labels), 5);
  expect_zero(retrieval.evaluate(five.x.topRows(1), Labels{3}), 1);
}

}  // namespace
