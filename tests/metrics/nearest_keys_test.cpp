#include <gtest/gtest.h>

#include <functional>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/metrics/nearest_keys.hpp>
#include <nearfar/scores/paired.hpp>

#include "metrics/ranking_oracle.hpp"
#include "support/allocations.hpp"
#include "support/errors.hpp"

/// Nearest keys against complete rankings, from which unwanted keys are removed one by one.

namespace {

using namespace support;
using namespace ranking;
using nearfar::KnownPositives;
using nearfar::NearestKeys;
using nearfar::NearestOptions;
using nearfar::NearestResult;
using nearfar::PositiveKeys;
using nearfar::Targets;
using nearfar::Workspace;

// ---- the oracle --------------------------------------------------------------------------------

/// The inputs of the oracle: the pairs that are left out, and each query's own positive with its
/// distance (minus the score for similarities).
struct Known {
  std::function<bool(Index, Index)> left_out = [](Index, Index) { return false; };
  std::vector<Index> own = {};
  std::vector<Real> own_distance = {};
};

/// Keys of query i, nearest first. The distance of a similarity s is -s.
std::vector<Index> expected(const Distances& distances, bool similarity,
                            const NearestOptions& options, const Known& known, Index i) {
  const auto at = static_cast<std::size_t>(i);
  std::vector<Index> out;
  for (const Index j : distances.order(i)) {
    const Real d = distances.d(i, j);
    const Real s = similarity ? -d : d;
    if (known.left_out(i, j)) continue;
    if (!known.own.empty() && known.own[at] == j) continue;
    if (s < Real(options.smallest_score) || s > Real(options.largest_score)) continue;
    if (options.margin && d < known.own_distance[at] + Real(*options.margin)) continue;
    if (options.relative_margin &&
        d < known.own_distance[at] +
                Real(*options.relative_margin) * std::abs(known.own_distance[at])) {
      continue;
    }
    out.push_back(j);
  }
  out.erase(out.begin(), out.begin() + std::min<std::ptrdiff_t>(options.skip, std::ssize(out)));
  if (std::ssize(out) > options.k) out.resize(static_cast<std::size_t>(options.k));
  return out;
}

/// Scores of two sets have the bits of `pairwise`. Those of a batch, whose distances have another
/// centre, are within the documented error of distances.
template <class S>
void expect_found(const NearestResult<S>& got, const Distances& distances, bool similarity,
                  const NearestOptions& options, const Known& known = {}) {
  constexpr Real promised = std::is_same_v<S, float> ? 1e-5L : 1e-12L;
  const Real tolerance = distances.same_rows ? promised : 0;
  constexpr S infinite = std::numeric_limits<S>::infinity();
  const Index n = distances.d.rows();
  ASSERT_EQ(got.k, options.k);
  ASSERT_EQ(got.queries(), n);
  ASSERT_EQ(std::ssize(got.indices), n * options.k);
  ASSERT_EQ(std::ssize(got.scores), n * options.k);
  for (Index i = 0; i < n; ++i) {
    const std::vector<Index> want = expected(distances, similarity, options, known, i);
    ASSERT_EQ(got.counts[static_cast<std::size_t>(i)], std::ssize(want)) << "query " << i;
    for (Index rank = 0; rank < options.k; ++rank) {
      if (rank < std::ssize(want)) {
        const Index j = want[static_cast<std::size_t>(rank)];
        ASSERT_EQ(got.index(i, rank), j) << "query " << i << ", rank " << rank;
        const Real s = similarity ? -distances.d(i, j) : distances.d(i, j);
        ASSERT_LE(std::abs(Real(got.score(i, rank)) - s), tolerance * (1 + std::abs(s)))
            << "query " << i << ", rank " << rank;
      } else {
        ASSERT_EQ(got.index(i, rank), -1);
        ASSERT_EQ(got.score(i, rank), similarity ? -infinite : infinite);
      }
    }
  }
}

template <class K>
constexpr bool is_similarity = K::orientation == nearfar::Orientation::similarity;

/// Distances of queries from their own keys.
template <class S, class K>
std::vector<Real> own_distances(const K& kernel, const Matrix<S>& queries, const Matrix<S>& keys,
                                const std::vector<Index>& own) {
  const nearfar::Vector<S> s = nearfar::paired(queries, support::reordered(keys, own), kernel);
  std::vector<Real> out;
  for (Index i = 0; i < s.size(); ++i) out.push_back(is_similarity<K> ? -Real(s[i]) : Real(s[i]));
  return out;
}

std::vector<Index> random_keys(Index queries, Index keys, std::uint64_t seed) {
  Random random(seed);
  std::vector<Index> out;
  for (Index i = 0; i < queries; ++i) out.push_back(random.below(keys));
  return out;
}

// ---- every kernel ------------------------------------------------------------------------------

template <class Case>
class NearestKeysOfKernels : public testing::Test {};
TYPED_TEST_SUITE(NearestKeysOfKernels, AllKernels, CaseNames);

TYPED_TEST(NearestKeysOfKernels, AreThoseOfAWholeSort) {
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
    for (const Index k : {1, 3, 70}) {
      for (const Index skip : {0, 2, 100}) {
        SCOPED_TRACE(name + ", k " + std::to_string(k) + ", skip " + std::to_string(skip));
        const NearestOptions options{.k = k, .skip = skip};
        const NearestKeys<S, K> nearest(options, kernel);
        expect_found(nearest.find(queries.x, set.x), to_set, is_similarity<K>, options);
        if (batch_too) expect_found(nearest.find(set.x), within, is_similarity<K>, options);
      }
    }
  }
}

TYPED_TEST(NearestKeysOfKernels, MeetBoundsAndMargins) {
  using S = typename TypeParam::Scalar;
  using K = typename TypeParam::Kernel;
  const TypeParam kernels(5);
  const K kernel = kernels.kernel();
  const Set<S> queries = random_set<S>(40, kernels.query_cols, 6, 8);
  const Set<S> keys = random_set<S>(430, kernels.key_cols, 6, 9);
  const Distances d = computed_distances<S>(kernel, queries.x, keys.x, false);
  const std::vector<Index> own = random_keys(40, 430, 3);
  const Known known{[&](Index i, Index j) {
                      return queries.labels[static_cast<std::size_t>(i)] ==
                             keys.labels[static_cast<std::size_t>(j)];
                    },
                    own, own_distances<S>(kernel, queries.x, keys.x, own)};
  // Two bounds with scores below, between and above them.
  const oracle::Matrix s = is_similarity<K> ? oracle::Matrix(-d.d) : d.d;
  const auto low = static_cast<double>(s.mean() - (s.maxCoeff() - s.minCoeff()) / 8);
  const auto high = static_cast<double>(s.mean() + (s.maxCoeff() - s.minCoeff()) / 8);
  const std::vector<NearestOptions> settings = {
      {.smallest_score = low},
      {.largest_score = high},
      {.k = 400, .smallest_score = low, .largest_score = high},
      {.k = 3, .skip = 4, .largest_score = low},
      {.margin = 0.0371},
      {.k = 500, .margin = -0.113},
      {.relative_margin = 0.0517},
      {.k = 500, .relative_margin = -0.213},
      {.k = 7, .skip = 3, .largest_score = high, .margin = 0.0371, .relative_margin = 0.21}};
  for (std::size_t t = 0; t < settings.size(); ++t) {
    SCOPED_TRACE(t);
    const NearestKeys<S, K> nearest(settings[t], kernel);
    expect_found(nearest.find(queries.x, keys.x, {.own = own}), d, is_similarity<K>, settings[t],
                 {.own = known.own, .own_distance = known.own_distance});
    expect_found(nearest.find(queries.x, keys.x,
                              {.own = own, .targets = queries.labels, .key_targets = keys.labels}),
                 d, is_similarity<K>, settings[t], known);
  }
}

// ---- what is left out --------------------------------------------------------------------------

template <class S>
class NearestKeysOf : public testing::Test {};
TYPED_TEST_SUITE(NearestKeysOf, Scalars, CaseNames);

/// More keys than a tile is wide, more queries than a panel has.
TYPED_TEST(NearestKeysOf, LeavesOutKnownPositivesOfAllKinds) {
  using S = TypeParam;
  const Set<S> queries = random_set<S>(105, 4, 5, 1);
  const Set<S> keys = random_set<S>(900, 4, 5, 2);
  const Index n = queries.x.rows();
  const Index m = keys.x.rows();
  const nearfar::Euclidean kernel;
  const Distances d = computed_distances<S>(kernel, queries.x, keys.x, false);
  const Distances within = computed_distances<S>(kernel, keys.x, keys.x, true);
  const NearestOptions options{.k = 20, .skip = 1};
  const NearestKeys<S, nearfar::Euclidean> nearest(options);
  const auto same = [](const Labels& a, const Labels& b) {
    return [&](Index i, Index j) {
      return a[static_cast<std::size_t>(i)] == b[static_cast<std::size_t>(j)];
    };
  };

  // Sets of labels: row i has labels bits of a word and one of a second.
  const auto words_of = [](Index rows, std::uint64_t seed) {
    Random random(seed);
    std::vector<std::uint64_t> out;
    for (Index i = 0; i < rows; ++i) {
      out.push_back(std::uint64_t(1) << random.below(40));
      out.push_back(std::uint64_t(3) << random.below(12));
    }
    return out;
  };
  const auto query_words = words_of(n, 4);
  const auto key_words = words_of(m, 5);
  const auto share = [](const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
    return [&](Index i, Index j) {
      const auto p = static_cast<std::size_t>(2 * i);
      const auto q = static_cast<std::size_t>(2 * j);
      return ((a[p] & b[q]) | (a[p + 1] & b[q + 1])) != 0;
    };
  };
  const nearfar::MultiLabels query_sets{query_words.data(), n, 2};
  const nearfar::MultiLabels key_sets{key_words.data(), m, 2};
  expect_found(nearest.find(queries.x, keys.x, {.targets = query_sets, .key_targets = key_sets}), d,
               false, options, {.left_out = share(query_words, key_words)});
  expect_found(nearest.find(keys.x, {.targets = key_sets}), within, false, options,
               {.left_out = share(key_words, key_words)});

  // Lists: every third key from a query's number on.
  const auto listed = [](Index i, Index j) { return j >= i && (j - i) % 3 == 0; };
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  for (Index i = 0; i < n; ++i) {
    for (Index j = i; j < m; j += 3) columns.push_back(j);
    offsets.push_back(std::ssize(columns));
  }
  expect_found(
      nearest.find(queries.x, keys.x, {.targets = nearfar::PositiveLists{offsets, columns}}), d,
      false, options, {.left_out = listed});

  // Labels, in a batch; ids alone, and both.
  expect_found(nearest.find(keys.x, {.targets = keys.labels}), within, false, options,
               {.left_out = same(keys.labels, keys.labels)});
  const Labels query_ids = labels_of(n, [](Index i) { return i % 31; });
  const Labels key_ids = labels_of(m, [](Index j) { return j % 29; });
  expect_found(
      nearest.find(queries.x, keys.x,
                   {.targets = Targets().ids(query_ids), .key_targets = Targets().ids(key_ids)}),
      d, false, options, {.left_out = same(query_ids, key_ids)});
  expect_found(nearest.find(keys.x, {.targets = Targets(keys.labels).ids(key_ids)}), within, false,
               options, {.left_out = [&](Index i, Index j) {
                 return same(keys.labels, keys.labels)(i, j) || same(key_ids, key_ids)(i, j);
               }});
  // Own positives in a batch, too.
  const std::vector<Index> own = random_keys(m, m, 7);
  expect_found(nearest.find(keys.x, {.own = own}), within, false, options, {.own = own});
}

TYPED_TEST(NearestKeysOf, AnAlignedPositiveIsTheKeyOfTheSameIndex) {
  using S = TypeParam;
  const Matrix<S> keys = random_rows<S>(50, 6, 1);
  const Matrix<S> queries = keys.topRows(30);
  const NearestKeys<S> nearest({.k = 4, .margin = 0.25});
  std::vector<Index> own(30);
  for (Index i = 0; i < 30; ++i) own[static_cast<std::size_t>(i)] = i;
  const auto got = nearest.find(queries, keys, {.own = PositiveKeys::aligned()});
  const auto want = nearest.find(queries, keys, {.own = own});
  EXPECT_EQ(got.indices, want.indices);
  EXPECT_EQ(got.scores, want.scores);
  for (Index i = 0; i < 30; ++i) {
    for (Index rank = 0; rank < got.counts[static_cast<std::size_t>(i)]; ++rank) {
      EXPECT_LE(got.score(i, rank), S(0.7501));
      EXPECT_NE(got.index(i, rank), i);
    }
  }
}

// ---- by hand -----------------------------------------------------------------------------------

/// A query at 0 and keys at these positions on a line.
template <class S, class K = nearfar::Euclidean>
NearestResult<S> on_a_line(const std::vector<double>& places, const NearestOptions& options,
                           const KnownPositives& known = {}) {
  Matrix<S> keys(std::ssize(places), 1);
  for (Index j = 0; j < keys.rows(); ++j) {
    keys(j, 0) = static_cast<S>(places[static_cast<std::size_t>(j)]);
  }
  return NearestKeys<S, K>(options).find(Matrix<S>(Matrix<S>::Zero(1, 1)), keys, known);
}

TYPED_TEST(NearestKeysOf, DistancesByHand) {
  using S = TypeParam;
  using I = std::vector<Index>;
  const std::vector<double> places = {5, -1, 2, 3, -3, 8};
  EXPECT_EQ(on_a_line<S>(places, {.k = 4}).indices, (I{1, 2, 3, 4}));
  EXPECT_EQ(on_a_line<S>(places, {.k = 4}).scores, (std::vector<S>{1, 2, 3, 3}));
  EXPECT_EQ(on_a_line<S>(places, {.k = 2, .skip = 3}).indices, (I{4, 0}));
  // A score equal to a bound meets it.
  EXPECT_EQ(on_a_line<S>(places, {.k = 4, .smallest_score = 3}).indices, (I{3, 4, 0, 5}));
  EXPECT_EQ(on_a_line<S>(places, {.k = 4, .largest_score = 2}).indices, (I{1, 2, -1, -1}));
  EXPECT_EQ(on_a_line<S>(places, {.k = 3, .smallest_score = 3, .largest_score = 3}).indices,
            (I{3, 4, -1}));
  EXPECT_EQ(on_a_line<S>(places, {.k = 3, .smallest_score = 3.5, .largest_score = 4}).counts, I{0});
  // The positive is key 2, at distance 2: 3 and up, then 5 and up.
  const std::vector<int> own = {2};
  EXPECT_EQ(on_a_line<S>(places, {.k = 2, .margin = 1}, {.own = own}).indices, (I{3, 4}));
  EXPECT_EQ(on_a_line<S>(places, {.k = 2, .relative_margin = 1.5}, {.own = own}).indices,
            (I{0, 5}));
  EXPECT_EQ(on_a_line<S>(places, {.k = 2, .margin = -1}, {.own = own}).indices, (I{1, 3}));
}

TYPED_TEST(NearestKeysOf, SimilaritiesByHand) {
  using S = TypeParam;
  using I = std::vector<Index>;
  Matrix<S> keys(6, 1);
  keys << 4, -1, 2, 1, -4, 3;
  const Matrix<S> query = Matrix<S>::Ones(1, 1);
  const auto find = [&](const NearestOptions& options, int own) {
    const std::vector<int> index = {own};
    return NearestKeys<S, nearfar::InnerProduct>(options).find(query, keys, {.own = index}).indices;
  };
  EXPECT_EQ(find({.k = 3, .margin = 1}, 0), (I{5, 2, 3}));
  EXPECT_EQ(find({.k = 3, .relative_margin = 0.5}, 0), (I{2, 3, 1}));
  // The margin also applies to a positive of negative score: -1 - 0.5 |-1| = -1.5.
  EXPECT_EQ(find({.k = 2, .relative_margin = 0.5}, 1), (I{4, -1}));
  EXPECT_EQ(find({.k = 2, .largest_score = 2, .margin = -9}, 1), (I{2, 3}));
}

/// A bound that the scalar type would round has its exact value.
TYPED_TEST(NearestKeysOf, BoundsAreNotRounded) {
  using S = TypeParam;
  using I = std::vector<Index>;
  const double third = 1.0 / 3;
  const double as_float = static_cast<double>(1.0f / 3);  // above it
  const double lowest = std::nextafter(third, 0);
  const std::vector<double> places = {as_float, lowest};
  EXPECT_EQ(on_a_line<S>({as_float}, {.k = 1, .largest_score = third}).indices, I{-1});
  EXPECT_EQ(on_a_line<S>({as_float}, {.k = 1, .largest_score = as_float}).indices, I{0});
  EXPECT_EQ(on_a_line<S>({as_float}, {.k = 1, .smallest_score = third}).indices, I{0});
  EXPECT_EQ(on_a_line<S>({as_float}, {.k = 1, .smallest_score = as_float + 1e-12}).indices, I{-1});
  EXPECT_EQ(
      on_a_line<S>({1, 2}, {.k = 1, .smallest_score = -1e300, .largest_score = 1e300}).indices,
      I{0});
  EXPECT_EQ(on_a_line<S>({1, 2}, {.k = 1, .smallest_score = 1e300}).counts, I{0});
}

// ---- scores from their definitions -------------------------------------------------------------

TYPED_TEST(NearestKeysOf, TiesGoToTheLowestIndex) {
  using S = TypeParam;
  for (const Index n : {14, 96, 800}) {
    const Set<S> set = tied_set<S>(n, 3, 5, 2);
    const oracle::Matrix x = oracle::exact(set.x);
    const NearestOptions options{.k = 9, .skip = 1};
    expect_found(NearestKeys<S, nearfar::InnerProduct>(options).find(set.x),
                 exact_distances(oracle::InnerProduct(), x, x, true), true, options);
    expect_found(NearestKeys<S, nearfar::SquaredEuclidean>(options).find(set.x),
                 exact_distances(oracle::SquaredEuclidean(), x, x, true), false, options);
  }
}

TEST(NearestKeysOfRandomRows, HaveRanksOfExactScores) {
  const Matrix<double> queries = random_rows<double>(60, 8, 1);
  const Matrix<double> keys = random_rows<double>(500, 8, 2);
  const oracle::Matrix x = oracle::exact(queries);
  const oracle::Matrix y = oracle::exact(keys);
  const std::vector<Index> own = random_keys(60, 500, 3);
  const NearestOptions options{.k = 12, .skip = 2, .margin = 0.1, .relative_margin = 0.3};
  const auto check = [&](const Distances& d, const NearestResult<double>& got, bool similarity) {
    Known known{.own = own};
    for (Index i = 0; i < 60; ++i) {
      known.own_distance.push_back(d.d(i, own[static_cast<std::size_t>(i)]));
    }
    for (Index i = 0; i < 60; ++i) {
      const std::vector<Index> want = expected(d, similarity, options, known, i);
      ASSERT_EQ(got.counts[static_cast<std::size_t>(i)], std::ssize(want));
      for (Index rank = 0; rank < std::ssize(want); ++rank) {
        ASSERT_EQ(got.index(i, rank), want[static_cast<std::size_t>(rank)]);
      }
    }
  };
  check(exact_distances(oracle::Cosine(), x, y, false),
        NearestKeys<double>(options).find(queries, keys, {.own = own}), true);
  check(exact_distances(oracle::Euclidean(), x, y, false),
        NearestKeys<double, nearfar::Euclidean>(options).find(queries, keys, {.own = own}), false);
}

/// A kernel of the user's own ranks like its geometry.
struct Gaussian {
  static constexpr auto geometry = nearfar::Geometry::squared_distance;
  static constexpr auto orientation = nearfar::Orientation::similarity;
  template <class S>
  S score(S u) const {
    return std::exp(-u / 2);
  }
  template <class S>
  S slope(S, S s) const {
    return -s / 2;
  }
};

TYPED_TEST(NearestKeysOf, AKernelOfOnesOwn) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(20, 5, 1);
  const Matrix<S> keys = random_rows<S>(700, 5, 2);
  const NearestOptions options{.k = 6, .largest_score = 0.8, .margin = 0.01};
  const std::vector<Index> own = random_keys(20, 700, 3);
  expect_found(NearestKeys<S, Gaussian>(options).find(queries, keys, {.own = own}),
               computed_distances<S>(Gaussian(), queries, keys, false), true, options,
               {.own = own, .own_distance = own_distances<S>(Gaussian(), queries, keys, own)});
}

// ---- promises besides the keys -----------------------------------------------------------------

template <class S>
void expect_identical(const NearestResult<S>& got, const NearestResult<S>& want) {
  EXPECT_EQ(got.indices, want.indices);
  EXPECT_EQ(got.scores, want.scores);
  EXPECT_EQ(got.counts, want.counts);
}

TYPED_TEST(NearestKeysOf, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 12, 1);
  const Set<S> queries = random_set<S>(205, 7, 12, 5);
  const NearestKeys<S, nearfar::Euclidean> nearest({.k = 20, .skip = 1, .margin = -0.2});
  const KnownPositives known{PositiveKeys::aligned(), queries.labels, set.labels};
  Workspace alone(1);
  const auto want = nearest.find(queries.x, set.x, known, {.workspace = &alone});
  for (const int threads : {2, 3, 7}) {
    Workspace workspace(threads);
    expect_identical(nearest.find(queries.x, set.x, known, {.workspace = &workspace}), want);
  }
}

/// So many queries and keys that queries come in blocks; the result of each is that of a call
/// alone.
TYPED_TEST(NearestKeysOf, QueriesOfAllBlocksAreAlike) {
  using S = TypeParam;
  const Index n = 2000;
  const Set<S> set = random_set<S>(n, 3, 40, 1);
  const Labels ids = labels_of(n, [](Index i) { return i % 1500; });
  const KnownPositives known{{}, Targets(set.labels).ids(ids), {}};
  const auto got =
      NearestKeys<S>({.k = 1200}).find(set.x, {.targets = Targets(set.labels).ids(ids)});
  for (const Index first : {0, 959, 960, 1900}) {
    const Labels labels(set.labels.begin() + first, set.labels.begin() + first + 20);
    const Labels own_ids(ids.begin() + first, ids.begin() + first + 20);
    const auto want =
        NearestKeys<S>({.k = 1200})
            .find(set.x.middleRows(first, 20), set.x,
                  {.targets = Targets(labels).ids(own_ids), .key_targets = known.targets});
    for (Index i = 0; i < 20; ++i) {
      for (Index rank = 0; rank < 1200; ++rank) {
        ASSERT_EQ(got.index(first + i, rank), want.index(i, rank));
        ASSERT_EQ(got.score(first + i, rank), want.score(i, rank));
      }
    }
  }
}

TYPED_TEST(NearestKeysOf, ASecondCallAllocatesItsResultAlone) {
  using S = TypeParam;
  const Set<S> set = random_set<S>(430, 7, 12, 1);
  const NearestKeys<S> nearest({.k = 5, .margin = 0});
  const KnownPositives known{PositiveKeys::aligned(), Targets(set.labels), Targets(set.labels)};
  Workspace workspace(1);
  nearest.find(set.x, set.x, known, {.workspace = &workspace});
  const std::size_t bytes = workspace.bytes();
  const long before = allocations;
  nearest.find(set.x, set.x, known, {.workspace = &workspace});
  EXPECT_EQ(allocations - before, 3);
  EXPECT_EQ(workspace.bytes(), bytes);
}

TYPED_TEST(NearestKeysOf, HoldNoMatrixOfScores) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(2000, 4, 1);
  const Matrix<S> keys = random_rows<S>(6000, 4, 2);
  Workspace workspace(2);
  NearestKeys<S>().find(queries, keys, {.workspace = &workspace});
  EXPECT_LT(workspace.bytes(), std::size_t(2000) * 6000 * sizeof(S) / 8);
}

TYPED_TEST(NearestKeysOf, NothingIsFoundAmongNothing) {
  using S = TypeParam;
  const Matrix<S> five = random_rows<S>(5, 3, 1);
  const Matrix<S> none(0, 0);
  const NearestKeys<S> nearest({.k = 2});
  const auto expect_none = [](const NearestResult<S>& r, std::size_t queries) {
    EXPECT_EQ(r.counts, std::vector<Index>(queries, 0));
    EXPECT_EQ(r.indices, std::vector<Index>(2 * queries, -1));
  };
  expect_none(nearest.find(none), 0);
  expect_none(nearest.find(none, five), 0);
  expect_none(nearest.find(five, none), 5);
  expect_none(nearest.find(five.topRows(1)), 1);
  const std::vector<int> one_class(5, 1);
  expect_none(nearest.find(five, {.targets = one_class}), 5);
}

TYPED_TEST(NearestKeysOf, BadInputIsRefused) {
  using S = TypeParam;
  const Set<S> five = random_set<S>(5, 4, 2, 1);
  const Set<S> six = random_set<S>(6, 4, 2, 2);
  const Matrix<S> wide = random_rows<S>(5, 6, 3);
  Matrix<S> bad = five.x;
  bad(2, 1) = std::numeric_limits<S>::quiet_NaN();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Matrix<S> huge = Matrix<S>::Constant(5, 4, std::numeric_limits<S>::max() / 2);
  const std::vector<int> beyond = {0, 1, 2, 3, 6};
  const std::vector<double> weights(5, 1.0);
  const NearestKeys<S> nearest;
  const NearestKeys<S> with_margin({.margin = 0.1});
  const NearestKeys<S, nearfar::InnerProduct> inner;
  Workspace workspace;
  const nearfar::CallOptions<S> call{.workspace = &workspace};
  Matrix<S> gradient;
  const auto bad_options = [](const char* name, const NearestOptions& options,
                              std::vector<std::string> words) {
    return BadCall{name, Thrown::invalid_argument, std::move(words),
                   [options] { NearestKeys<S> refused(options); }};
  };
  const BadCall table[] = {
      bad_options("k of 0", {.k = 0}, {"k: wanted a number >= 1, got 0"}),
      bad_options("negative skip", {.skip = -1}, {"skip: wanted a number >= 0, got -1"}),
      bad_options("bounds crossed", {.smallest_score = 2, .largest_score = 1},
                  {"smallest_score: wanted a number of at most largest_score = 1, got 2"}),
      bad_options("a bound that is none", {.largest_score = nan}, {"smallest_score"}),
      bad_options("NaN as margin", {.margin = nan}, {"margin: wanted a finite number"}),
      bad_options("NaN as relative margin", {.relative_margin = nan}, {"relative_margin"}),
      {"a margin without positives",
       Thrown::invalid_argument,
       {"own: wanted each query's own positive", "got none"},
       [&] { with_margin.find(five.x, six.x, call); }},
      {"too few keys to be aligned",
       Thrown::invalid_argument,
       {"keys: wanted a key for each of 6 queries, got 5 keys"},
       [&] { nearest.find(six.x, five.x, {.own = PositiveKeys::aligned()}, call); }},
      {"an index that is none",
       Thrown::invalid_argument,
       {"own: wanted indices from 0 to 5, got 6 for row 4"},
       [&] { nearest.find(five.x, six.x, {.own = beyond}, call); }},
      {"indices of another count",
       Thrown::invalid_argument,
       {"own: wanted 6 labels", "got 5"},
       [&] { nearest.find(six.x, six.x, {.own = beyond}, call); }},
      {"labels of another count",
       Thrown::invalid_argument,
       {"key_targets: wanted 6 labels", "got 5"},
       [&] {
         nearest.find(five.x, six.x, {.targets = five.labels, .key_targets = five.labels}, call);
       }},
      {"labels of one side",
       Thrown::invalid_argument,
       {"key_targets: wanted labels, as targets are"},
       [&] { nearest.find(five.x, six.x, {.targets = five.labels}, call); }},
      {"labels of keys alone",
       Thrown::invalid_argument,
       {"key_targets: wanted nothing"},
       [&] { nearest.find(five.x, six.x, {.key_targets = six.labels}, call); }},
      {"targets of keys in a batch",
       Thrown::invalid_argument,
       {"key_targets: wanted nothing"},
       [&] { nearest.find(five.x, {.targets = five.labels, .key_targets = five.labels}, call); }},
      {"ids of one side",
       Thrown::invalid_argument,
       {"key_targets: wanted ids"},
       [&] { nearest.find(five.x, six.x, {.targets = Targets().ids(five.labels)}, call); }},
      {"weights",
       Thrown::invalid_argument,
       {"targets: wanted no weights"},
       [&] { nearest.find(five.x, {.targets = Targets(five.labels).weights(weights)}, call); }},
      {"rows of another width",
       Thrown::invalid_argument,
       {"keys: wanted 5 x 4, got 5 x 6"},
       [&] { nearest.find(six.x, wide, call); }},
      {"a gradient",
       Thrown::invalid_argument,
       {"d_parameter: wanted none"},
       [&] { nearest.find(five.x, {.d_parameter = gradient}); }},
      {"NaN",
       Thrown::domain_error,
       {"x: ", "NaN at row 2, column 1"},
       [&] { nearest.find(bad, call); }},
      {"NaN in keys",
       Thrown::domain_error,
       {"keys: ", "NaN at row 2, column 1"},
       [&] { nearest.find(six.x, bad, call); }},
      {"NaN without keys",
       Thrown::domain_error,
       {"queries: ", "NaN at row 2, column 1"},
       [&] { nearest.find(bad, Matrix<S>(0, 4), call); }},
      {"products too large",
       Thrown::domain_error,
       {"x and x", "overflow"},
       [&] { inner.find(huge, call); }},
  };
  for (const BadCall& one : table) expect_refused(one);
  EXPECT_NO_THROW(nearest.find(five.x, call));  // the workspace is free again
}

// ---- rows of the keys found --------------------------------------------------------------------

TYPED_TEST(NearestKeysOf, TheirRowsAreNegativesOfEachQuerysOwn) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(12, 5, 1);
  const Matrix<S> keys = random_rows<S>(40, 5, 2);
  const auto found = NearestKeys<S>({.k = 3}).find(queries, keys, {.own = PositiveKeys::aligned()});
  Matrix<S> negatives;
  nearfar::copy_nearest(found, keys, negatives);
  ASSERT_EQ(negatives.rows(), 36);
  for (Index i = 0; i < 12; ++i) {
    for (Index rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(negatives.row(i * 3 + rank), keys.row(found.index(i, rank)));
    }
  }
  Matrix<S> wider = Matrix<S>::Zero(36, 9);
  nearfar::copy_nearest(found, keys, wider.middleCols(2, 5));
  EXPECT_EQ(wider.middleCols(2, 5), negatives);
  EXPECT_TRUE(wider.leftCols(2).isZero() && wider.rightCols(2).isZero());

  const double tau = 0.1;
  const nearfar::InfoNce<S> loss({.temperature = tau});
  const double value = loss.forward(queries, keys.topRows(12), nearfar::per_query(negatives)).value;
  const oracle::Matrix s =
      oracle::pairwise(oracle::Cosine(), oracle::exact(queries), oracle::exact(keys));
  Real want = 0;
  for (Index i = 0; i < 12; ++i) {
    Real sum = std::exp(s(i, i) / Real(tau));
    for (Index rank = 0; rank < 3; ++rank) sum += std::exp(s(i, found.index(i, rank)) / Real(tau));
    want += (std::log(sum) - s(i, i) / Real(tau)) / 12;
  }
  EXPECT_NEAR(value, static_cast<double>(want), sizeof(S) == sizeof(float) ? 1e-5 : 1e-13);
}

TYPED_TEST(NearestKeysOf, AQueryWithFewerHasItsKeysAgain) {
  using S = TypeParam;
  NearestResult<S> found{5, {4, 1, -1, -1, -1, 0, 1, 2, 3, 4}, std::vector<S>(10), {2, 5}};
  const Matrix<S> keys = random_rows<S>(5, 3, 1);
  Matrix<S> rows;
  nearfar::copy_nearest(found, keys, rows);
  const Index want[] = {4, 1, 4, 1, 4, 0, 1, 2, 3, 4};
  for (Index r = 0; r < 10; ++r) EXPECT_EQ(rows.row(r), keys.row(want[r]));

  Matrix<S> untouched = Matrix<S>::Constant(10, 3, S(7));
  Matrix<S> narrow(10, 2);
  const BadCall table[] = {
      {"fewer keys",
       Thrown::invalid_argument,
       {"keys: wanted those that the result is of, at least 5, got 4 rows"},
       [&] { nearfar::copy_nearest(found, keys.topRows(4), untouched.topRows(10)); }},
      {"another shape",
       Thrown::invalid_argument,
       {"rows: wanted 10 x 3, got 10 x 2"},
       [&] { nearfar::copy_nearest(found, keys, narrow.topRows(10)); }},
      {"to be added to",
       Thrown::invalid_argument,
       {"rows: wanted a buffer to overwrite"},
       [&] { nearfar::copy_nearest(found, keys, nearfar::accumulate(untouched)); }},
      {"a query without any",
       Thrown::invalid_argument,
       {"found: wanted at least one key for each query, got none for query 1"},
       [&] {
         NearestResult<S> none = found;
         none.counts[1] = 0;
         nearfar::copy_nearest(none, keys, untouched.topRows(10));
       }},
  };
  for (const BadCall& one : table) expect_refused(one);
  EXPECT_TRUE((untouched.array() == S(7)).all());
}

}  // namespace
