#include <gtest/gtest.h>

#include <nearfar/losses/info_nce.hpp>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"
#include "support/own_negatives.hpp"

/// The positive and the negatives of a query in InfoNCE: negatives of each query's own, negatives
/// masked by id, positives by index. (The tests of the loss cover shared negatives.)

namespace {

using namespace support;
using nearfar::per_query;
using nearfar::Reduction;
using nearfar::Upstream;

template <class Case>
class InfoNceOwnNegatives : public testing::Test {};
TYPED_TEST_SUITE(InfoNceOwnNegatives, AllKernels, CaseNames);

TYPED_TEST(InfoNceOwnNegatives, EachQueryIsAsIfAloneWithItsNegatives) {
  using S = typename TypeParam::Scalar;
  for (const auto& [n, k] : queries_and_negatives) {
    for (const auto denominator :
         {nearfar::Denominator::with_positive, nearfar::Denominator::negatives_only}) {
      SCOPED_TRACE(std::to_string(n) + " queries, " + std::to_string(k) + " negatives each");
      OwnNegativesProblem<TypeParam> p(n, k, 17);
      expect_as_if_alone(
          p,
          [&](const auto& kernel) {
            return nearfar::InfoNce<S, std::decay_t<decltype(kernel)>>(
                {.temperature = 0.5, .denominator = denominator, .reduction = Reduction::none},
                kernel);
          },
          [&](const auto& loss, const Upstream& up, auto& dq, auto& dk, auto& dn) {
            return loss.forward_backward(p.queries, p.keys, per_query(p.negatives), dq, dk, dn,
                                         {.upstream = up});
          },
          [](const auto& loss, const Upstream& up, Index, const auto& q, const auto& key,
             const auto& m, auto& dq, auto& dk,
             auto& dn) { return loss.forward_backward(q, key, m, dq, dk, dn, {.upstream = up}); });
    }
  }
}

/// This test does not depend on the other forms.
TYPED_TEST(InfoNceOwnNegatives, GradientsAreTheDerivativesOfTheValue) {
  using S = typename TypeParam::Scalar;
  OwnNegativesProblem<TypeParam> p(5, 3, 4);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({.temperature = 0.5},
                                                             p.of_kernel.kernel());
  Matrix<S> dq;
  Matrix<S> dk;
  Matrix<S> dn;
  Matrix<S> d_parameter;
  loss.forward_backward(p.queries, p.keys, per_query(p.negatives), dq, dk, dn,
                        {.d_parameter = parameter_gradient<TypeParam>(d_parameter)});
  std::vector<nearfar::CheckedInput<S>> inputs = {
      {"queries", p.queries, dq}, {"keys", p.keys, dk}, {"negatives", p.negatives, dn}};
  if (TypeParam::parametric) inputs.push_back({"matrix", p.of_kernel.parameter, d_parameter});
  Index elements = 0;
  for (const auto& input : inputs) elements += input.gradient.rows() * input.gradient.cols();
  expect_right(nearfar::check_gradient<S>(
                   [&] {
                     const nearfar::InfoNce<S, typename TypeParam::Kernel> moved(
                         {.temperature = 0.5}, p.of_kernel.kernel());
                     return moved.forward(p.queries, p.keys, per_query(p.negatives)).value;
                   },
                   inputs),
               elements);
}

TYPED_TEST(InfoNceOwnNegatives, ThreadsDoNotChangeABitAndASecondCallAllocatesNothing) {
  using S = typename TypeParam::Scalar;
  OwnNegativesProblem<TypeParam> p(130, 5, 33);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({}, p.of_kernel.kernel());
  nearfar::Workspace alone(1);
  Matrix<S> dq;
  Matrix<S> dk;
  Matrix<S> dn;
  const auto negatives = per_query(p.negatives);
  const auto want =
      loss.forward_backward(p.queries, p.keys, negatives, dq, dk, dn, {.workspace = &alone});
  const long before = allocations;
  loss.forward_backward(p.queries, p.keys, negatives, dq, dk, dn, {.workspace = &alone});
  EXPECT_EQ(allocations - before, 0);
  for (const int threads : {2, 3, 7}) {
    nearfar::Workspace workspace(threads);
    Matrix<S> q;
    Matrix<S> k;
    Matrix<S> m;
    const auto got =
        loss.forward_backward(p.queries, p.keys, negatives, q, k, m, {.workspace = &workspace});
    EXPECT_EQ(got.value, want.value);
    EXPECT_TRUE(same_bits<S>(q, dq));
    EXPECT_TRUE(same_bits<S>(k, dk));
    EXPECT_TRUE(same_bits<S>(m, dn));
  }
}

TYPED_TEST(InfoNceOwnNegatives, OfNoQueriesIsZero) {
  using S = typename TypeParam::Scalar;
  const Matrix<S> none(0, 3);
  const nearfar::Negatives<S> negatives = nearfar::per_query(none);
  EXPECT_EQ(negatives.per_query(0), 0);
  EXPECT_EQ(nearfar::InfoNce<S>().forward(none, none, negatives).value, 0);
}

TYPED_TEST(InfoNceOwnNegatives, MustBeAsManyForEachQuery) {
  using S = typename TypeParam::Scalar;
  OwnNegativesProblem<TypeParam> p(3, 2, 4);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({}, p.of_kernel.kernel());
  const Matrix<S> five = p.negatives.topRows(5);
  expect_refused({"five for three",
                  Thrown::invalid_argument,
                  {"negatives: wanted as many for each of 3 queries, got 5 rows"},
                  [&] { loss.forward(p.queries, p.keys, per_query(five)); }});
  // The number may be 0: the loss is that of a query without negatives.
  EXPECT_EQ(loss.forward(p.queries, p.keys, per_query(Matrix<S>())).value, 0);
  EXPECT_EQ(
      loss.forward(p.queries, p.keys, per_query(Matrix<S>())).diagnostics.anchors_without_negative,
      3);
}

// ---- negatives that share a query's id ---------------------------------------------------------

template <class Case>
class NegativeIds : public testing::Test {};
TYPED_TEST_SUITE(NegativeIds, AllKernels, CaseNames);

/// The result for every query is that of a call with this query and its remaining negatives alone.
TYPED_TEST(NegativeIds, MaskNegativesThatShareTheQuerysId) {
  using S = typename TypeParam::Scalar;
  constexpr Index n = 61;
  constexpr Index k = 800;
  const TypeParam of_kernel(17);
  const Matrix<S> queries = random_rows<S>(n, of_kernel.query_cols, 61);
  const Matrix<S> keys = random_rows<S>(n, of_kernel.key_cols, 62);
  const Matrix<S> rows = random_rows<S>(k, of_kernel.key_cols, 63);
  std::vector<int> ids(k);
  std::vector<std::int64_t> query_ids(n);
  for (Index j = 0; j < k; ++j) ids[static_cast<std::size_t>(j)] = static_cast<int>(j * j % 23);
  // Some queries share an id with several negatives, some with none.
  for (Index i = 0; i < n; ++i) query_ids[static_cast<std::size_t>(i)] = i % 29;
  const auto negatives = nearfar::Negatives<S>(rows).ids(ids, query_ids);

  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss(
      {.temperature = 0.5, .reduction = Reduction::none}, of_kernel.kernel());
  const std::vector<double> weights = random_upstream(n, 64);
  Matrix<S> dq;
  Matrix<S> dk;
  Matrix<S> dn;
  const auto got =
      loss.forward_backward(queries, keys, negatives, dq, dk, dn, {.upstream = weights});
  EXPECT_EQ(loss.forward(queries, keys, negatives).values.size(), static_cast<std::size_t>(n));
  Matrix<S> want_dn = Matrix<S>::Zero(k, rows.cols());
  for (Index i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    std::vector<Index> left;
    for (Index j = 0; j < k; ++j) {
      if (ids[static_cast<std::size_t>(j)] != query_ids[at]) left.push_back(j);
    }
    const Matrix<S> others = reordered<S>(rows, left);
    Matrix<S> q;
    Matrix<S> key;
    Matrix<S> m;
    const std::vector<double> weight = {weights[at]};
    const auto want = loss.forward_backward(rows_of(queries, i, 1), rows_of(keys, i, 1), others, q,
                                            key, m, {.upstream = weight});
    EXPECT_NEAR(got.values[at], want.value, Tolerance<S>::same * std::max(1.0, want.value));
    expect_same<S>(rows_of(dq, i, 1), q, "d_queries");
    expect_same<S>(rows_of(dk, i, 1), key, "d_keys");
    for (std::size_t j = 0; j < left.size(); ++j) {
      want_dn.row(left[j]) += m.row(static_cast<Index>(j));
    }
  }
  expect_same<S>(dn, want_dn, "d_negatives");
}

TYPED_TEST(NegativeIds, MayMaskEveryNegative) {
  using S = typename TypeParam::Scalar;
  const TypeParam of_kernel(5);
  const Matrix<S> queries = random_rows<S>(2, of_kernel.query_cols, 61);
  const Matrix<S> keys = random_rows<S>(2, of_kernel.key_cols, 62);
  const Matrix<S> rows = random_rows<S>(3, of_kernel.key_cols, 63);
  const std::vector<int> ids = {7, 7, 7};
  const std::vector<int> query_ids = {7, 8};
  const auto negatives = nearfar::Negatives<S>(rows).ids(ids, query_ids);
  using Loss = nearfar::InfoNce<S, typename TypeParam::Kernel>;
  const auto got =
      Loss({.reduction = Reduction::none}, of_kernel.kernel()).forward(queries, keys, negatives);
  EXPECT_EQ(got.values[0], 0);
  EXPECT_GT(got.values[1], 0);
  EXPECT_EQ(got.diagnostics.anchors_without_negative, 1);
  const Loss strict({.unusable_anchors = nearfar::UnusableAnchor::error}, of_kernel.kernel());
  EXPECT_THROW(strict.forward(queries, keys, negatives), std::invalid_argument);
}

TYPED_TEST(NegativeIds, MustFitTheirRows) {
  using S = typename TypeParam::Scalar;
  const TypeParam of_kernel(5);
  const Matrix<S> queries = random_rows<S>(2, of_kernel.query_cols, 61);
  const Matrix<S> keys = random_rows<S>(2, of_kernel.key_cols, 62);
  const Matrix<S> rows = random_rows<S>(4, of_kernel.key_cols, 63);
  const std::vector<int> two = {1, 2};
  const std::vector<int> four = {1, 2, 3, 4};
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({}, of_kernel.kernel());
  const auto with = [&](nearfar::Negatives<S> negatives) {
    return [&loss, &queries, &keys, negatives] { loss.forward(queries, keys, negatives); };
  };
  const nearfar::Negatives<S> shared(rows);
  const BadCall table[] = {
      {"too few",
       Thrown::invalid_argument,
       {"ids of negatives: wanted 4", "got 2"},
       with(shared.ids(two, two))},
      {"too many",
       Thrown::invalid_argument,
       {"ids of queries: wanted 2", "got 4"},
       with(shared.ids(four, four))},
      {"too few of each query's own",
       Thrown::invalid_argument,
       {"ids of negatives: wanted 4", "got 2"},
       with(per_query(rows).ids(two, two))},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

// ---- positives by index -------------------------------------------------------------------------

template <class Case>
class PositiveIndex : public testing::Test {};
TYPED_TEST_SUITE(PositiveIndex, AllKernels, CaseNames);

TYPED_TEST(PositiveIndex, EqualsKeysInTheOrderOfTheirQueries) {
  using S = typename TypeParam::Scalar;
  const TypeParam of_kernel(17);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({.temperature = 0.5},
                                                             of_kernel.kernel());
  const Matrix<S> queries = random_rows<S>(130, of_kernel.query_cols, 51);
  const Matrix<S> keys = random_rows<S>(450, of_kernel.key_cols, 52);
  const std::vector<Index> order = random_order(450, 53);
  const Matrix<S> moved = reordered<S>(keys, order);
  std::vector<Index> at(450);
  for (std::size_t j = 0; j < order.size(); ++j) {
    at[static_cast<std::size_t>(order[j])] = static_cast<Index>(j);
  }
  const std::vector<int> positives(at.begin(), at.begin() + 130);
  Matrix<S> dq;
  Matrix<S> dk;
  Matrix<S> moved_dq;
  Matrix<S> moved_dk;
  const auto want = loss.forward_backward(queries, keys, dq, dk);
  const auto got = loss.forward_backward(queries, moved, positives, moved_dq, moved_dk);
  EXPECT_NEAR(got.value, want.value, Tolerance<S>::same * want.value);
  EXPECT_EQ(loss.forward(queries, moved, positives).value, got.value);
  EXPECT_NEAR(got.d_temperature, want.d_temperature,
              Tolerance<S>::same * std::max(1.0, std::abs(want.d_temperature)));
  expect_same_counts(got.diagnostics, want.diagnostics);
  expect_same<S>(moved_dq, dq, "d_queries");
  expect_same<S>(moved_dk, reordered<S>(dk, order), "d_keys");
}

/// There may be fewer keys than queries, and a key may be the positive of many.
TYPED_TEST(PositiveIndex, GradientsAreTheDerivativesOfTheValue) {
  using S = typename TypeParam::Scalar;
  const TypeParam of_kernel(4);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({.temperature = 0.5},
                                                             of_kernel.kernel());
  Matrix<S> queries = random_rows<S>(7, of_kernel.query_cols, 54);
  Matrix<S> keys = random_rows<S>(3, of_kernel.key_cols, 55);
  const std::vector<std::int64_t> positives = {2, 0, 0, 2, 1, 2, 2};
  Matrix<S> dq;
  Matrix<S> dk;
  loss.forward_backward(queries, keys, positives, dq, dk);
  expect_right(
      nearfar::check_gradient<S>([&] { return loss.forward(queries, keys, positives).value; },
                                 {{"queries", queries, dq}, {"keys", keys, dk}}),
      dq.size() + dk.size());
}

TYPED_TEST(PositiveIndex, MustBeTheIndexOfAKey) {
  using S = typename TypeParam::Scalar;
  const TypeParam of_kernel(4);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({}, of_kernel.kernel());
  const Matrix<S> queries = random_rows<S>(2, of_kernel.query_cols, 54);
  const Matrix<S> keys = random_rows<S>(3, of_kernel.key_cols, 55);
  const auto with = [&](std::vector<int> positives) {
    return [&loss, &queries, &keys, positives] { loss.forward(queries, keys, positives); };
  };
  const BadCall table[] = {
      {"past the end",
       Thrown::invalid_argument,
       {"positives: wanted indices from 0 to 2, got 3 for row 1"},
       with({0, 3})},
      {"below zero", Thrown::invalid_argument, {"positives: ", "got -1 for row 0"}, with({-1, 0})},
      {"one too many", Thrown::invalid_argument, {"positives: wanted 2", "got 3"}, with({0, 1, 2})},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

}  // namespace
