#include <gtest/gtest.h>

#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/nce.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

/// Negatives of each query's own, in different numbers and with ids, against the loss of each query
/// alone with its remaining negatives.

namespace {

using namespace support;
using nearfar::InfoNce;
using nearfar::Negatives;
using nearfar::NegativeSampling;
using nearfar::per_query;
using nearfar::Reduction;

/// Queries with none, one and more negatives than a tile is wide.
struct Counts {
  std::vector<Index> offsets = {0};
  std::vector<int> query_ids;
  std::vector<int> ids;
  Index queries() const { return static_cast<Index>(offsets.size()) - 1; }

  explicit Counts(const std::vector<Index>& counts) {
    Random random(3);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      offsets.push_back(offsets.back() + counts[i]);
      query_ids.push_back(static_cast<int>(i % 3));
      // All negatives of query 4 have its id.
      for (Index k = 0; k < counts[i]; ++k)
        ids.push_back(i == 4 ? 1 : static_cast<int>(random.below(3)));
    }
  }
  Index first(Index i) const { return offsets[static_cast<std::size_t>(i)]; }
  Index count(Index i) const { return first(i + 1) - first(i); }
};

/// Passes `negatives` of rows x D to the loss of all queries, and compares with the `kept` ones of
/// each query.
template <class S, class Loss, class Kept>
void expect_each_alone(const Loss& loss, const Counts& of, const Matrix<S>& rows,
                       const Negatives<S>& negatives, const Kept& kept) {
  const Index n = of.queries();
  const Matrix<S> queries = random_rows<S>(n, 6, 1);
  const Matrix<S> keys = random_rows<S>(n, 6, 2);
  const std::vector<double> upstream = random_upstream(n, 4);
  Matrix<S> dq, dk, dn;
  const auto got = loss.forward_backward(queries, keys, negatives, dq, dk, dn,
                                         {.upstream = nearfar::Upstream(upstream)});
  EXPECT_EQ(loss.forward(queries, keys, negatives).values, got.values);
  Matrix<S> want_dq(n, 6), want_dk(n, 6), want_dn = Matrix<S>::Zero(rows.rows(), 6);
  nearfar::Diagnostics counts;
  double d_temperature = 0;
  for (Index i = 0; i < n; ++i) {
    std::vector<Index> left;
    for (Index j = of.first(i); j < of.first(i + 1); ++j) {
      if (kept(i, j)) left.push_back(j);
    }
    const Matrix<S> own = rows(left, Eigen::indexing::all);
    const std::vector<double> up = {upstream[static_cast<std::size_t>(i)]};
    Matrix<S> a, b, c;
    const auto alone = loss.forward_backward(Matrix<S>(queries.row(i)), Matrix<S>(keys.row(i)), own,
                                             a, b, c, {.upstream = nearfar::Upstream(up)});
    EXPECT_NEAR(got.values[static_cast<std::size_t>(i)], alone.value,
                Tolerance<S>::value * std::max(1.0, std::abs(alone.value)))
        << i;
    want_dq.row(i) = a;
    want_dk.row(i) = b;
    for (std::size_t k = 0; k < left.size(); ++k)
      want_dn.row(left[k]) = c.row(static_cast<Index>(k));
    counts.anchors_without_negative += left.empty() ? 1 : 0;
    counts.smallest_score = std::min(counts.smallest_score, alone.diagnostics.smallest_score);
    counts.largest_score = std::max(counts.largest_score, alone.diagnostics.largest_score);
    d_temperature += alone.d_temperature;
  }
  expect_same<S>(dq, want_dq, "d_queries");
  expect_same<S>(dk, want_dk, "d_keys");
  expect_same<S>(dn, want_dn, "d_negatives");
  EXPECT_EQ(got.diagnostics.anchors_without_negative, counts.anchors_without_negative);
  EXPECT_NEAR(got.diagnostics.smallest_score, counts.smallest_score, 1e-6);
  EXPECT_NEAR(got.diagnostics.largest_score, counts.largest_score, 1e-6);
  EXPECT_NEAR(got.d_temperature, d_temperature,
              10 * Tolerance<S>::same * std::max(1.0, std::abs(d_temperature)));
}

template <class S>
class OwnNegatives : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(OwnNegatives, Scalars);

TYPED_TEST(OwnNegatives, MayBeOfDifferentNumbersWithIdsAndWithout) {
  using S = TypeParam;
  const Counts of({3, 0, 1, 900, 5, 0});
  const Matrix<S> rows = random_rows<S>(of.offsets.back(), 6, 3);
  const auto all = [](Index, Index) { return true; };
  const auto others = [&](Index i, Index j) {
    return of.query_ids[static_cast<std::size_t>(i)] != of.ids[static_cast<std::size_t>(j)];
  };
  const auto check = [&](const auto& loss) {
    expect_each_alone<S>(loss, of, rows, per_query(rows, of.offsets), all);
    expect_each_alone<S>(loss, of, rows, per_query(rows, of.offsets).ids(of.ids, of.query_ids),
                         others);
  };
  check(InfoNce<S>({.temperature = 0.5, .reduction = Reduction::none}));
  check(InfoNce<S, nearfar::Euclidean>({.temperature = 0.5, .reduction = Reduction::none}));
  expect_each_alone<S>(NegativeSampling<S>({.reduction = Reduction::none}), of, rows,
                       per_query(rows, of.offsets), all);
}

/// Own and shared negatives, against each query alone with all that is left to it.
template <class S, class Loss>
void expect_with_shared(const Loss& loss, const Counts& of, bool with_ids) {
  const Index n = of.queries();
  const Index shared_count = 500;
  const Matrix<S> queries = random_rows<S>(n, 6, 1);
  const Matrix<S> keys = random_rows<S>(n, 6, 2);
  const Matrix<S> own = random_rows<S>(of.offsets.back(), 6, 3);
  const Matrix<S> shared = random_rows<S>(shared_count, 6, 4);
  std::vector<int> shared_ids;
  for (Index j = 0; j < shared_count; ++j) shared_ids.push_back(static_cast<int>(j % 4));
  const std::vector<double> upstream = random_upstream(n, 5);
  Negatives<S> of_all = shared;
  Negatives<S> of_each = per_query(own, of.offsets);
  if (with_ids) {
    of_all = of_all.ids(shared_ids, of.query_ids);
    of_each = of_each.ids(of.ids, of.query_ids);
  }
  Matrix<S> dq, dk, ds, dn;
  const auto got = loss.forward_backward(queries, keys, of_all, of_each, dq, dk, ds, dn,
                                         {.upstream = nearfar::Upstream(upstream)});
  EXPECT_EQ(loss.forward(queries, keys, of_all, of_each).values, got.values);
  Matrix<S> want_dq(n, 6), want_dk(n, 6);
  Matrix<S> want_dn = Matrix<S>::Zero(own.rows(), 6);
  Matrix<S> want_ds = Matrix<S>::Zero(shared_count, 6);
  double d_temperature = 0;
  for (Index i = 0; i < n; ++i) {
    const int id = of.query_ids[static_cast<std::size_t>(i)];
    std::vector<Index> left;
    for (Index j = 0; j < shared_count; ++j) {
      if (!with_ids || shared_ids[static_cast<std::size_t>(j)] != id) left.push_back(j);
    }
    const std::size_t from_shared = left.size();
    for (Index j = of.first(i); j < of.first(i + 1); ++j) {
      if (!with_ids || of.ids[static_cast<std::size_t>(j)] != id) left.push_back(j);
    }
    Matrix<S> rows(static_cast<Index>(left.size()), 6);
    for (std::size_t k = 0; k < left.size(); ++k) {
      rows.row(static_cast<Index>(k)) = k < from_shared ? shared.row(left[k]) : own.row(left[k]);
    }
    const std::vector<double> up = {upstream[static_cast<std::size_t>(i)]};
    Matrix<S> a, b, c;
    const auto alone = loss.forward_backward(Matrix<S>(queries.row(i)), Matrix<S>(keys.row(i)),
                                             rows, a, b, c, {.upstream = nearfar::Upstream(up)});
    EXPECT_NEAR(got.values[static_cast<std::size_t>(i)], alone.value,
                Tolerance<S>::value * std::max(1.0, std::abs(alone.value)));
    want_dq.row(i) = a;
    want_dk.row(i) = b;
    for (std::size_t k = 0; k < left.size(); ++k) {
      (k < from_shared ? want_ds : want_dn).row(left[k]) += c.row(static_cast<Index>(k));
    }
    d_temperature += alone.d_temperature;
  }
  expect_same<S>(dq, want_dq, "d_queries");
  expect_same<S>(dk, want_dk, "d_keys");
  expect_same<S>(ds, want_ds, "d_negatives");
  expect_same<S>(dn, want_dn, "d_own_negatives");
  EXPECT_NEAR(got.d_temperature, d_temperature,
              10 * Tolerance<S>::same * std::max(1.0, std::abs(d_temperature)));
  for (const int threads : {1, 3}) {
    nearfar::Workspace workspace(threads);
    Matrix<S> dq2, dk2, ds2, dn2;
    loss.forward_backward(queries, keys, of_all, of_each, dq2, dk2, ds2, dn2,
                          {.workspace = &workspace, .upstream = nearfar::Upstream(upstream)});
    EXPECT_TRUE(same_bits(dq2, dq) && same_bits(dk2, dk) && same_bits(ds2, ds) &&
                same_bits(dn2, dn))
        << threads;
  }
}

TYPED_TEST(OwnNegatives, JoinThoseThatQueriesShare) {
  using S = TypeParam;
  const Counts of({3, 0, 1, 900, 5, 0});
  for (const bool with_ids : {false, true}) {
    expect_with_shared<S>(InfoNce<S>({.temperature = 0.5, .reduction = Reduction::none}), of,
                          with_ids);
    expect_with_shared<S>(InfoNce<S>({.temperature = 0.5,
                                      .denominator = nearfar::Denominator::negatives_only,
                                      .reduction = Reduction::none}),
                          of, with_ids);
    expect_with_shared<S>(
        InfoNce<S, nearfar::Euclidean>({.temperature = 0.5, .reduction = Reduction::none}), of,
        with_ids);
  }
}

TYPED_TEST(OwnNegatives, AndSharedOnesKeepTheirPlaces) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(3, 6, 1);
  const InfoNce<S> loss;
  EXPECT_THROW(loss.forward(x, x, per_query(x), per_query(x)), std::invalid_argument);
  EXPECT_THROW(loss.forward(x, x, Negatives<S>(x), Negatives<S>(x)), std::invalid_argument);
  // Without rows in one place a call is that of the other.
  const Matrix<S> none(0, 6);
  const double own = loss.forward(x, x, per_query(x)).value;
  const double shared = loss.forward(x, x, x).value;
  EXPECT_NEAR(loss.forward(x, x, Negatives<S>(none), per_query(x)).value, own, 1e-6);
  EXPECT_NEAR(loss.forward(x, x, Negatives<S>(x), per_query(none)).value, shared, 1e-6);
}

TYPED_TEST(OwnNegatives, OfOneNumberTakeIds) {
  using S = TypeParam;
  const Counts of({400, 400, 400, 400, 400});
  const Matrix<S> rows = random_rows<S>(of.offsets.back(), 6, 3);
  const InfoNce<S> loss({.temperature = 0.5, .reduction = Reduction::none});
  expect_each_alone<S>(
      loss, of, rows, per_query(rows).ids(of.ids, of.query_ids), [&](Index i, Index j) {
        return of.query_ids[static_cast<std::size_t>(i)] != of.ids[static_cast<std::size_t>(j)];
      });
}

TYPED_TEST(OwnNegatives, OffsetsOfEqualNumbersChangeNothing) {
  using S = TypeParam;
  const Counts of({7, 7, 7});
  const Matrix<S> x = random_rows<S>(3, 6, 1);
  const Matrix<S> rows = random_rows<S>(21, 6, 3);
  Matrix<S> dq, dk, dn, same_dn;
  const InfoNce<S> loss;
  const auto want = loss.forward_backward(x, x, per_query(rows), dq, dk, dn);
  expect_identical(loss.forward_backward(x, x, per_query(rows, of.offsets), dq, dk, same_dn), want);
  EXPECT_TRUE(same_bits(same_dn, dn));
}

TYPED_TEST(OwnNegatives, BitsAreTheSameAtAnyNumberOfThreads) {
  using S = TypeParam;
  const Counts of({3, 0, 1, 900, 5, 0, 90, 90, 90, 90, 90, 90});
  const Index n = of.queries();
  const Matrix<S> x = random_rows<S>(n, 40, 1);
  const Matrix<S> rows = random_rows<S>(of.offsets.back(), 40, 3);
  const auto negatives = per_query(rows, of.offsets).ids(of.ids, of.query_ids);
  const InfoNce<S> loss;
  Matrix<S> dq, dk, dn, one_dq, one_dk, one_dn;
  nearfar::Workspace one(1);
  const auto want =
      loss.forward_backward(x, x, negatives, one_dq, one_dk, one_dn, {.workspace = &one});
  for (const int threads : {2, 3, 7}) {
    nearfar::Workspace several(threads);
    expect_identical(loss.forward_backward(x, x, negatives, dq, dk, dn, {.workspace = &several}),
                     want);
    EXPECT_TRUE(same_bits(dq, one_dq));
    EXPECT_TRUE(same_bits(dn, one_dn));
  }
}

TYPED_TEST(OwnNegatives, OffsetsMustFitQueriesAndRows) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(2, 6, 1);
  const Matrix<S> rows = random_rows<S>(5, 6, 3);
  const std::vector<Index> too_few = {0, 5};
  const std::vector<Index> late = {1, 2, 5};
  const std::vector<Index> early = {0, 2, 4};
  const std::vector<Index> falling = {0, 6, 5};
  const std::vector<Index> right = {0, 2, 5};
  const std::vector<S> noise(5, S(-1));
  const auto with = [&](const std::vector<Index>& offsets) {
    return [&] { InfoNce<S>().forward(x, x, per_query(rows, offsets)); };
  };
  const auto invalid = Thrown::invalid_argument;
  const BadCall table[] = {
      {"too few",
       invalid,
       {"negatives: wanted 3 offsets, one more than queries", "got 2"},
       with(too_few)},
      {"late",
       invalid,
       {"negatives: wanted offsets from 0 to the number of rows, 5", "got 1 to 5"},
       with(late)},
      {"early", invalid, {"negatives: wanted offsets from 0", "got 0 to 4"}, with(early)},
      {"falling",
       invalid,
       {"negatives: wanted offsets in ascending order", "got 5 after 6"},
       with(falling)},
      {"of NCE",
       invalid,
       {"negatives: wanted as many for each query", "got offsets"},
       [&] {
         nearfar::Nce<S>().forward(x, x, per_query(rows, right), std::vector<S>(2, S(-1)), noise);
       }},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

}  // namespace
