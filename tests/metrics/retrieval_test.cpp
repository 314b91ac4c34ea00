#include <gtest/gtest.h>

#include <nearfar/metrics/retrieval.hpp>

#include "metrics/ranking_oracle.hpp"
#include "support/allocations.hpp"
#include "support/errors.hpp"

/// Retrieval metrics against rankings sorted as a whole.

namespace {

using namespace support;
using namespace ranking;
using nearfar::Retrieval;
using nearfar::RetrievalOptions;
using nearfar::RetrievalResult;
using nearfar::Workspace;

// ---- the oracle --------------------------------------------------------------------------------

/// One query at a time, from the definitions.
RetrievalResult expected(const Distances& distances, const Labels& query_labels,
                         const Labels& reference_labels, const std::vector<Index>& ks) {
  RetrievalResult out;
  out.recall.assign(ks.size(), 0);
  out.precision.assign(ks.size(), 0);
  out.precision_per_query.setZero(distances.d.rows(), static_cast<Index>(ks.size()));
  Real counted = 0;
  for (Index i = 0; i < distances.d.rows(); ++i) {
    const std::vector<Index> order = distances.order(i);
    const auto relevant = [&](std::size_t rank) {  // from 1
      return reference_labels[static_cast<std::size_t>(order[rank - 1])] ==
             query_labels[static_cast<std::size_t>(i)];
    };
    const auto hits = [&](std::size_t k) {
      Index sum = 0;
      for (std::size_t r = 1; r <= std::min(k, order.size()); ++r) sum += relevant(r) ? 1 : 0;
      return sum;
    };
    ++out.queries;
    nearfar::RetrievedQuery& query = out.per_query.emplace_back();
    query.positives = hits(order.size());
    if (query.positives == 0) {
      ++out.queries_without_positive;
      continue;
    }
    counted += 1;
    while (hits(static_cast<std::size_t>(query.first_positive)) == 0) ++query.first_positive;
    const auto r = static_cast<std::size_t>(query.positives);
    query.r_precision = static_cast<double>(Real(hits(r)) / Real(r));
    Real sum = 0;
    for (std::size_t rank = 1; rank <= r; ++rank) {
      if (relevant(rank)) sum += Real(hits(rank)) / Real(rank);
    }
    query.average_precision_at_r = static_cast<double>(sum / Real(r));
    for (std::size_t t = 0; t < ks.size(); ++t) {
      const auto k = static_cast<std::size_t>(ks[t]);
      const double precision = static_cast<double>(Real(hits(k)) / Real(std::min(k, order.size())));
      out.recall[t] += hits(k) > 0 ? 1 : 0;
      out.precision[t] += precision;
      out.precision_per_query(i, static_cast<Index>(t)) = precision;
    }
    out.map_at_r += query.average_precision_at_r;
    out.r_precision += query.r_precision;
    out.mean_reciprocal_rank += 1 / static_cast<double>(query.first_positive);
  }
  const double divisor = counted > 0 ? static_cast<double>(counted) : 1;
  out.map_at_r /= divisor;
  out.r_precision /= divisor;
  out.mean_reciprocal_rank /= divisor;
  for (double& v : out.recall) v /= divisor;
  for (double& v : out.precision) v /= divisor;
  return out;
}

constexpr double close = 1e-13;

void expect_alike(const RetrievalResult& got, const RetrievalResult& want) {
  EXPECT_EQ(got.queries, want.queries);
  EXPECT_EQ(got.queries_without_positive, want.queries_without_positive);
  ASSERT_EQ(got.recall.size(), want.recall.size());
  ASSERT_EQ(got.precision.size(), want.precision.size());
  for (std::size_t t = 0; t < want.recall.size(); ++t) {
    EXPECT_NEAR(got.recall[t], want.recall[t], close) << "recall " << t;
    EXPECT_NEAR(got.precision[t], want.precision[t], close) << "precision " << t;
  }
  EXPECT_NEAR(got.map_at_r, want.map_at_r, close);
  EXPECT_NEAR(got.r_precision, want.r_precision, close);
  EXPECT_NEAR(got.mean_reciprocal_rank, want.mean_reciprocal_rank, close);
  ASSERT_EQ(got.per_query.size(), want.per_query.size());
  ASSERT_EQ(got.precision_per_query.rows(), want.precision_per_query.rows());
  ASSERT_EQ(got.precision_per_query.cols(), want.precision_per_query.cols());
  for (std::size_t i = 0; i < want.per_query.size(); ++i) {
    const auto& a = got.per_query[i];
    const auto& b = want.per_query[i];
    ASSERT_EQ(a.positives, b.positives) << "query " << i;
    ASSERT_EQ(a.first_positive, b.first_positive) << "query " << i;
    ASSERT_NEAR(a.average_precision_at_r, b.average_precision_at_r, close) << "query " << i;
    ASSERT_NEAR(a.r_precision, b.r_precision, close) << "query " << i;
  }
  for (Index i = 0; i < want.precision_per_query.size(); ++i) {
    ASSERT_EQ(got.precision_per_query(i), want.precision_per_query(i)) << "at " << i;
  }
}

void expect_identical(const RetrievalResult& got, const RetrievalResult& want) {
  EXPECT_EQ(got.recall, want.recall);
  EXPECT_EQ(got.precision, want.precision);
  EXPECT_EQ(got.map_at_r, want.map_at_r);
  EXPECT_EQ(got.r_precision, want.r_precision);
  EXPECT_EQ(got.mean_reciprocal_rank, want.mean_reciprocal_rank);
  EXPECT_EQ(got.queries_without_positive, want.queries_without_positive);
}

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
        const Retrieval<S, K> retrieval({.ks = ks, .per_query = true}, kernel);
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
      const Retrieval<S, K> retrieval({.ks = ks, .per_query = true}, kernel);
      expect_alike(retrieval.evaluate(set.x, set.labels), expected(d, set.labels, set.labels, ks));
    }
  }
}

template <class S>
class RetrievalOf : public testing::Test {};
TYPED_TEST_SUITE(RetrievalOf, Scalars, CaseNames);

TYPED_TEST(RetrievalOf, ABatchWorksWithAKernelThatTellsQueriesFromKeys) {
  using S = TypeParam;
  const Matrix<S> weight = random_rows<S>(6, 6, 3);
  const nearfar::Bilinear<S> kernel(weight);
  const Set<S> set = random_set<S>(45, 6, 5, 2);
  const Retrieval<S, nearfar::Bilinear<S>> retrieval({.ks = {1, 7}, .per_query = true}, kernel);
  expect_alike(
      retrieval.evaluate(set.x, set.labels),
      expected(computed_distances<S>(kernel, set.x, set.x, true), set.labels, set.labels, {1, 7}));
}

// ---- scores from their definitions -------------------------------------------------------------

template <class S, class K, class O>
void expect_exact(const Set<S>& set) {
  const oracle::Matrix x = oracle::exact(set.x);
  const std::vector<Index> ks = {1, 3, 10, 100};
  const Retrieval<S, K> retrieval({.ks = ks, .per_query = true});
  expect_alike(retrieval.evaluate(set.x, set.labels),
               expected(exact_distances(O(), x, x, true), set.labels, set.labels, ks));
}

/// Ties and duplicates, without rounding in either type.
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

/// More keys than a stretch of the walk, more queries than a strip; classes so large that most
/// keys are kept, and so small that most are passed over.
TYPED_TEST(RetrievalOf, SetsLargerThanATile) {
  using S = TypeParam;
  for (const int classes : {2, 9, 300}) {
    SCOPED_TRACE(classes);
    const Set<S> queries = random_set<S>(210, 4, classes, 1);
    const Set<S> references = random_set<S>(900, 4, classes, 2);
    const std::vector<Index> ks = {1, 10, 800};
    const Retrieval<S, nearfar::Euclidean> retrieval({.ks = ks, .per_query = true});
    expect_alike(
        retrieval.evaluate(queries.x, queries.labels, references.x, references.labels),
        expected(computed_distances<S>(nearfar::Euclidean(), queries.x, references.x, false),
                 queries.labels, references.labels, ks));
  }
}

// ---- by hand -----------------------------------------------------------------------------------

/// A query at 0 and references at 1, 2, 3, ... on a line, so that ranks are read off.
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
  EXPECT_EQ(r.queries, 1);
  EXPECT_EQ(r.queries_without_positive, 0);
  EXPECT_TRUE(r.per_query.empty());
  EXPECT_EQ(r.precision_per_query.size(), 0);
}

/// The example of Musgrave et al., section 3.2: R-precision does not see the order, MAP@R does.
TYPED_TEST(RetrievalOf, AveragePrecisionSeesTheOrder) {
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

/// Far beyond every k and R, the first positive's rank is still known.
TYPED_TEST(RetrievalOf, ReciprocalRankLooksAtAllKeys) {
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
  const Retrieval<S> retrieval({.ks = {1, 2}, .per_query = true});
  const auto expect_zero = [](const RetrievalResult& r, std::int64_t queries) {
    EXPECT_EQ(r.recall, (std::vector<double>{0, 0}));
    EXPECT_EQ(r.precision, (std::vector<double>{0, 0}));
    EXPECT_EQ(r.map_at_r, 0);
    EXPECT_EQ(r.r_precision, 0);
    EXPECT_EQ(r.mean_reciprocal_rank, 0);
    EXPECT_EQ(r.queries, queries);
    EXPECT_EQ(r.queries_without_positive, queries);
    EXPECT_EQ(r.per_query.size(), static_cast<std::size_t>(queries));
    EXPECT_TRUE((r.precision_per_query == Matrix<double>::Zero(queries, 2)));
  };
  expect_zero(retrieval.evaluate(none.x, none.labels), 0);
  expect_zero(retrieval.evaluate(none.x, none.labels, five.x, five.labels), 0);
  expect_zero(retrieval.evaluate(five.x, five.labels, none.x, none.labels), 5);
  expect_zero(retrieval.evaluate(five.x.topRows(1), Labels{3}), 1);
}

// ---- contracts ---------------------------------------------------------------------------------

TYPED_TEST(RetrievalOf, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 12, 1);
  const Set<S> queries = random_set<S>(205, 7, 12, 5);
  const Retrieval<S> retrieval;
  Workspace alone(1);
  const auto batch = retrieval.evaluate(set.x, set.labels, {.workspace = &alone});
  const auto both =
      retrieval.evaluate(queries.x, queries.labels, set.x, set.labels, {.workspace = &alone});
  for (const int threads : {2, 3, 7}) {
    SCOPED_TRACE(threads);
    Workspace workspace(threads);
    expect_identical(retrieval.evaluate(set.x, set.labels, {.workspace = &workspace}), batch);
    expect_identical(
        retrieval.evaluate(queries.x, queries.labels, set.x, set.labels, {.workspace = &workspace}),
        both);
  }
}

TYPED_TEST(RetrievalOf, ASecondCallAllocatesItsResultAlone) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 12, 1);
  for (const bool per_query : {false, true}) {
    const Retrieval<S> retrieval({.per_query = per_query});
    Workspace workspace(1);
    retrieval.evaluate(set.x, set.labels, {.workspace = &workspace});
    const long before = allocations;
    retrieval.evaluate(set.x, set.labels, {.workspace = &workspace});
    EXPECT_EQ(allocations - before, per_query ? 3 : 2);  // Eigen's matrix is not counted
  }
}

TYPED_TEST(RetrievalOf, OrderOfRowsDoesNotMatter) {
  using S = TypeParam;
  const Set<S> queries = random_set<S>(60, 6, 5, 1);
  const Set<S> references = random_set<S>(90, 6, 5, 2);
  const Retrieval<S> retrieval({.ks = {1, 2, 4, 8}, .per_query = true});
  const auto want = retrieval.evaluate(queries.x, queries.labels, references.x, references.labels);
  const auto by_query = random_order(60, 3);
  const auto by_reference = random_order(90, 4);
  const auto got = retrieval.evaluate(support::reordered(queries.x, by_query),
                                      ranking::reordered(queries.labels, by_query),
                                      support::reordered(references.x, by_reference),
                                      ranking::reordered(references.labels, by_reference));
  EXPECT_NEAR(got.map_at_r, want.map_at_r, close);
  EXPECT_NEAR(got.mean_reciprocal_rank, want.mean_reciprocal_rank, close);
  for (std::size_t i = 0; i < 60; ++i) {
    const auto& a = got.per_query[i];
    const auto& b = want.per_query[static_cast<std::size_t>(by_query[i])];
    EXPECT_EQ(a.first_positive, b.first_positive);
    EXPECT_EQ(a.average_precision_at_r, b.average_precision_at_r);
  }
}

TYPED_TEST(RetrievalOf, RowsAreReadWhereTheyLie) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(40, 9, 4, 1);
  const Retrieval<S> retrieval;
  const auto got = retrieval.evaluate(set.x.block(3, 2, 30, 5),
                                      Labels(set.labels.begin() + 3, set.labels.begin() + 33));
  expect_identical(got,
                   retrieval.evaluate(Matrix<S>(set.x.block(3, 2, 30, 5)),
                                      Labels(set.labels.begin() + 3, set.labels.begin() + 33)));
}

TYPED_TEST(RetrievalOf, BadInputIsRefused) {
  using S = TypeParam;
  const Set<S> five = random_set<S>(5, 4, 2, 1);
  const Set<S> six = random_set<S>(6, 4, 2, 2);
  const Matrix<S> wide = random_rows<S>(5, 6, 3);
  Matrix<S> bad = five.x;
  bad(2, 1) = std::numeric_limits<S>::quiet_NaN();
  Matrix<S> infinite = six.x;
  infinite(4, 0) = std::numeric_limits<S>::infinity();
  const Matrix<S> huge = Matrix<S>::Constant(5, 4, std::numeric_limits<S>::max() / 2);
  const Matrix<S> two_by_four = random_rows<S>(2, 4, 4);
  const nearfar::Bilinear<S> oblong(two_by_four);
  const Retrieval<S> retrieval;
  const Retrieval<S, nearfar::InnerProduct> inner;
  const Retrieval<S, nearfar::Bilinear<S>> bilinear({}, oblong);
  Workspace workspace;
  const nearfar::CallOptions<S> call{.workspace = &workspace};
  Matrix<S> gradient;
  const BadCall table[] = {
      {"k of 0",
       Thrown::invalid_argument,
       {"ks: wanted numbers >= 1, got 0 at 1"},
       [] {
         Retrieval<S>({.ks = {3, 0}});
       }},
      {"negative k",
       Thrown::invalid_argument,
       {"ks: wanted numbers >= 1, got -2 at 0"},
       [] { Retrieval<S>({.ks = {-2}}); }},
      {"labels missing",
       Thrown::invalid_argument,
       {"labels: wanted 6 labels", "got 5"},
       [&] { retrieval.evaluate(six.x, five.labels, call); }},
      {"labels of queries missing",
       Thrown::invalid_argument,
       {"query_labels: wanted 6 labels", "got 5"},
       [&] { retrieval.evaluate(six.x, five.labels, five.x, five.labels, call); }},
      {"labels of references missing",
       Thrown::invalid_argument,
       {"reference_labels: wanted 5 labels", "got 6"},
       [&] { retrieval.evaluate(six.x, six.labels, five.x, six.labels, call); }},
      {"rows of another width",
       Thrown::invalid_argument,
       {"references: wanted 5 x 4, got 5 x 6"},
       [&] { retrieval.evaluate(six.x, six.labels, wide, five.labels, call); }},
      {"no elements",
       Thrown::invalid_argument,
       {"x: wanted rows of at least one element"},
       [&] { retrieval.evaluate(Matrix<S>(5, 0), five.labels, call); }},
      {"a matrix that maps queries elsewhere",
       Thrown::invalid_argument,
       {"x: wanted 5 x 2, got 5 x 4"},
       [&] { bilinear.evaluate(five.x, five.labels, call); }},
      {"a gradient",
       Thrown::invalid_argument,
       {"d_parameter: wanted none"},
       [&] { retrieval.evaluate(five.x, five.labels, {.d_parameter = gradient}); }},
      {"NaN",
       Thrown::domain_error,
       {"x: ", "NaN at row 2, column 1"},
       [&] { retrieval.evaluate(bad, five.labels, call); }},
      {"NaN in queries",
       Thrown::domain_error,
       {"queries: ", "NaN at row 2, column 1"},
       [&] { retrieval.evaluate(bad, five.labels, six.x, six.labels, call); }},
      {"infinity in references",
       Thrown::domain_error,
       {"references: ", "infinity at row 4, column 0"},
       [&] { retrieval.evaluate(five.x, five.labels, infinite, six.labels, call); }},
      {"products too large",
       Thrown::domain_error,
       {"x and x", "overflow"},
       [&] { inner.evaluate(huge, five.labels, call); }},
  };
  for (const BadCall& one : table) expect_refused(one);
  EXPECT_NO_THROW(retrieval.evaluate(five.x, five.labels, call));  // the workspace is free again
}

}  // namespace
