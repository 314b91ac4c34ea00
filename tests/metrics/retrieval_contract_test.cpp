#include <gtest/gtest.h>

#include <nearfar/metrics/retrieval.hpp>

#include "metrics/ranking_oracle.hpp"
#include "support/allocations.hpp"
#include "support/errors.hpp"

/// Promises of retrieval metrics besides their values: bits, memory, order, errors.

namespace {

using namespace support;
using namespace ranking;
using nearfar::Retrieval;
using nearfar::RetrievalResult;
using nearfar::Workspace;

constexpr double close = 1e-13;

void expect_identical(const RetrievalResult& got, const RetrievalResult& want) {
  EXPECT_EQ(got.recall, want.recall);
  EXPECT_EQ(got.precision, want.precision);
  EXPECT_EQ(got.map_at_r, want.map_at_r);
  EXPECT_EQ(got.r_precision, want.r_precision);
  EXPECT_EQ(got.mean_reciprocal_rank, want.mean_reciprocal_rank);
  EXPECT_EQ(got.ndcg, want.ndcg);
  EXPECT_EQ(got.mean_average_precision, want.mean_average_precision);
  EXPECT_EQ(got.queries_without_positive, want.queries_without_positive);
}

template <class S>
class RetrievalContract : public testing::Test {};
TYPED_TEST_SUITE(RetrievalContract, Scalars, CaseNames);

TYPED_TEST(RetrievalContract, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 12, 1);
  const Set<S> queries = random_set<S>(205, 7, 12, 5);
  const Retrieval<S> retrieval({.average_precision = true});
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

TYPED_TEST(RetrievalContract, ASecondCallAllocatesItsResultAlone) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 12, 1);
  for (const bool per_query : {false, true}) {
    const Retrieval<S> retrieval({.per_query = per_query, .average_precision = true});
    Workspace workspace(1);
    retrieval.evaluate(set.x, set.labels, {.workspace = &workspace});
    const long before = allocations;
    retrieval.evaluate(set.x, set.labels, {.workspace = &workspace});
    EXPECT_EQ(allocations - before, per_query ? 6 : 3);
  }
}

TYPED_TEST(RetrievalContract, OrderOfRowsDoesNotMatter) {
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

TYPED_TEST(RetrievalContract, RowsAreReadWhereTheyLie) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(40, 9, 4, 1);
  const Retrieval<S> retrieval;
  const auto got = retrieval.evaluate(set.x.block(3, 2, 30, 5),
                                      Labels(set.labels.begin() + 3, set.labels.begin() + 33));
  expect_identical(got,
                   retrieval.evaluate(Matrix<S>(set.x.block(3, 2, 30, 5)),
                                      Labels(set.labels.begin() + 3, set.labels.begin() + 33)));
}

TYPED_TEST(RetrievalContract, BadInputIsRefused) {
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
