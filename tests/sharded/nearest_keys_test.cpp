#include <gtest/gtest.h>

#include <nearfar/sharded/nearest_keys.hpp>

#include <functional>
#include <string>
#include <vector>

#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Nearest keys over shards against those of one process: the same numbers and the same scores, to
/// the last bit.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::KnownPositives;
using nearfar::Labels;
using nearfar::MultiLabels;
using nearfar::NearestOptions;
using nearfar::NearestResult;
using nearfar::PositiveKeys;
using nearfar::PositiveLists;
using nearfar::Schedule;
using nearfar::Targets;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

/// The rows of one process.
struct Part {
  Index first;
  Index count;
};
Part part_of(Split split, const Exchange& e, Index n) {
  const Index first = first_row(split, e.rank(), e.size(), n);
  return {first, first_row(split, e.rank() + 1, e.size(), n) - first};
}

template <class T>
std::vector<T> slice(const std::vector<T>& all, Index first, Index count) {
  return {all.begin() + first, all.begin() + first + count};
}

/// The result of queries [part.first, part.first + part.count).
template <class S>
void expect_same(const NearestResult<S>& got, const NearestResult<S>& want, const Part& part) {
  ASSERT_EQ(got.k, want.k);
  ASSERT_EQ(got.queries(), part.count);
  EXPECT_EQ(got.counts, slice(want.counts, part.first, part.count));
  EXPECT_EQ(got.indices, slice(want.indices, part.first * want.k, part.count * want.k));
  EXPECT_EQ(got.scores, slice(want.scores, part.first * want.k, part.count * want.k));
}

/// What is known of all rows, and the part of it that a process passes.
struct Known {
  std::vector<int> labels = {};  ///< one a row, of queries and of keys
  std::vector<int> key_labels = {};
  std::vector<std::uint64_t> words = {};
  std::vector<std::uint64_t> key_words = {};
  std::vector<int> ids = {};
  std::vector<int> key_ids = {};
  std::vector<Index> offsets = {};  ///< of lists
  std::vector<Index> columns = {};
  std::vector<Index> own = {};  ///< key numbers

  // Of the present part.
  std::vector<Index> own_offsets = {};

  Targets targets(const Part& of, bool of_keys) const {
    const auto at = [&](const auto& all) { return all.data() + of.first; };
    Targets out;
    if (!labels.empty()) out = Targets(Labels(at(of_keys ? key_labels : labels), of.count));
    if (!words.empty()) out = Targets(MultiLabels{at(of_keys ? key_words : words), of.count, 1});
    if (!offsets.empty() && !of_keys) {
      const auto count = static_cast<std::size_t>(own_offsets.back());
      out = Targets(PositiveLists{
          own_offsets, {columns.data() + offsets[static_cast<std::size_t>(of.first)], count}});
    }
    if (!ids.empty()) out = out.ids(Labels(at(of_keys ? key_ids : ids), of.count));
    return out;
  }

  void set_part(const Part& of) {
    if (offsets.empty()) return;
    own_offsets.clear();
    for (Index i = of.first; i <= of.first + of.count; ++i) {
      own_offsets.push_back(offsets[static_cast<std::size_t>(i)] -
                            offsets[static_cast<std::size_t>(of.first)]);
    }
  }

  KnownPositives positives(const Part& of_queries, const Part& of_keys, bool one) {
    set_part(of_queries);
    KnownPositives out;
    if (!own.empty()) {
      out.own = PositiveKeys(Labels(own.data() + of_queries.first, of_queries.count));
    }
    out.targets = targets(of_queries, false);
    if (!one) out.key_targets = targets(of_keys, true);
    return out;
  }
};

/// Rows x among themselves, and as queries of keys y.
template <class S, class K>
void check(const Matrix<S>& x, const Matrix<S>& y, const NearestOptions& options, Known known = {},
           const K& kernel = K()) {
  const nearfar::NearestKeys<S, K> one(options, kernel);
  const Part all{0, x.rows()};
  const Part all_keys{0, y.rows()};
  const NearestResult<S> want = one.find(x, known.positives(all, all, true));
  const NearestResult<S> want_of_two = one.find(x, y, known.positives(all, all_keys, false));
  for (const int processes : {1, 2, 3, 4}) {
    for (const Split split :
         {Split::even, Split::growing, Split::first_has_none, Split::last_has_all}) {
      if (processes == 1 && split != Split::even) continue;
      run_team(processes, [&](Exchange& e) {
        const Part part = part_of(split, e, x.rows());
        const Part of_keys = part_of(split, e, y.rows());
        const nearfar::sharded::NearestKeys<S, K> metric(options, kernel);
        Known mine = known;
        const auto own = x.middleRows(part.first, part.count);
        const auto own_keys = y.middleRows(of_keys.first, of_keys.count);
        for (const Schedule schedule : schedules) {
          SCOPED_TRACE("process " + std::to_string(e.rank()) + " of " + std::to_string(processes) +
                       ", schedule " + std::to_string(static_cast<int>(schedule)));
          expect_same(metric.find({e, schedule}, own, mine.positives(part, part, true)), want,
                      part);
          expect_same(
              metric.find({e, schedule}, own, own_keys, mine.positives(part, of_keys, false)),
              want_of_two, part);
        }
      });
    }
  }
}

constexpr Index n = 50;
constexpr Index m = 90;

template <class S>
Matrix<S> queries() {
  return random_rows<S>(n, 5, 2);
}
template <class S>
Matrix<S> keys() {
  return random_rows<S>(m, 5, 3);
}

/// Each query's own positive.
std::vector<Index> random_keys() {
  Random random(7);
  std::vector<Index> out;
  for (Index i = 0; i < n; ++i) out.push_back(static_cast<Index>(random.below(n)));
  return out;
}

template <class S>
class ShardedNearest : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedNearest, Scalars);

/// With fewer and with more keys than a shard has.
TYPED_TEST(ShardedNearest, AreThoseOfOneProcess) {
  using S = TypeParam;
  for (const Index k : {1, 6, 45, 200}) {
    check<S, nearfar::Cosine>(queries<S>(), keys<S>(), {.k = k});
    check<S, nearfar::Euclidean>(queries<S>(), keys<S>(), {.k = k});
    check<S, nearfar::InnerProduct>(queries<S>(), keys<S>(), {.k = k, .skip = 3});
  }
  check<S, nearfar::Cosine>(queries<S>(), keys<S>(), {.k = 5, .skip = 1000});
}

/// More rows than a tile of keys has, near each other and far from the origin: distances are
/// computed again from the rows.
TYPED_TEST(ShardedNearest, OfManyTilesHaveTheScoresOfOneProcess) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(500, 20, 4).array() + S(30);
  Matrix<S> y = random_rows<S>(900, 20, 5).array() + S(30);
  y.topRows(250) = x.topRows(250).array() + S(1e-4);
  const NearestOptions options{.k = 12};
  const NearestResult<S> want = nearfar::NearestKeys<S, nearfar::Euclidean>(options).find(x, y);
  for (const Split split : {Split::even, Split::growing}) {
    run_team(3, [&](Exchange& e) {
      const Part part = part_of(split, e, 500);
      const Part of_keys = part_of(split, e, 900);
      for (const Schedule schedule : schedules) {
        expect_same(nearfar::sharded::NearestKeys<S, nearfar::Euclidean>(options).find(
                        {e, schedule}, x.middleRows(part.first, part.count),
                        y.middleRows(of_keys.first, of_keys.count)),
                    want, part);
      }
    });
  }
}

/// Longer rows than the products take at once.
TYPED_TEST(ShardedNearest, OfLongRowsHaveTheScoresOfOneProcess) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(30, 3001, 4);
  const Matrix<S> y = random_rows<S>(40, 3001, 5);
  check<S, nearfar::Cosine>(x, y, {.k = 3});
  check<S, nearfar::Euclidean>(x, y, {.k = 3});
}

/// Rows on a coarse lattice: many scores are equal, and the index decides ranks.
TYPED_TEST(ShardedNearest, RankEqualScoresByTheGlobalIndex) {
  using S = TypeParam;
  Random random(2);
  const auto lattice = [&](Index rows) {
    Matrix<S> out(rows, 3);
    for (Index i = 0; i < out.size(); ++i) out(i / 3, i % 3) = static_cast<S>(random.below(3)) - 1;
    return out;
  };
  const Matrix<S> x = lattice(50);
  const Matrix<S> y = lattice(90);
  for (const Index k : {1, 4, 30}) {
    check<S, nearfar::SquaredEuclidean>(x, y, {.k = k});
    check<S, nearfar::InnerProduct>(x, y, {.k = k, .skip = 2});
  }
}

TYPED_TEST(ShardedNearest, LeaveOutKnownPositives) {
  using S = TypeParam;
  const NearestOptions options{.k = 7};
  const auto both = [&](const Known& known) {
    check<S, nearfar::Cosine>(queries<S>(), keys<S>(), options, known);
    check<S, nearfar::SquaredEuclidean>(queries<S>(), keys<S>(), options, known);
  };
  const std::vector<int> labels = random_labels(n, 6, 3);
  const std::vector<int> key_labels = random_labels(m, 6, 4);
  const std::vector<int> ids = random_labels(n, 12, 5);
  const std::vector<int> key_ids = random_labels(m, 12, 6);
  both({.labels = labels, .key_labels = key_labels});
  both({.ids = ids, .key_ids = key_ids});
  both({.labels = labels, .key_labels = key_labels, .ids = ids, .key_ids = key_ids});
  Known sets;
  Random random(4);
  for (Index i = 0; i < n; ++i) sets.words.push_back(std::uint64_t(3) << random.below(20));
  for (Index j = 0; j < m; ++j) sets.key_words.push_back(std::uint64_t(3) << random.below(20));
  both(sets);
  Known lists;
  lists.offsets = {0};
  for (Index i = 0; i < n; ++i) {
    for (Index j = i % 7; j < n; j += 7) lists.columns.push_back(j);
    lists.offsets.push_back(std::ssize(lists.columns));
  }
  both(lists);
  lists.ids = ids;
  lists.key_ids = key_ids;
  both(lists);
  both({.own = random_keys()});
}

TYPED_TEST(ShardedNearest, MeetTheBoundsOfScores) {
  using S = TypeParam;
  check<S, nearfar::Cosine>(queries<S>(), keys<S>(),
                            {.k = 9, .smallest_score = -0.2, .largest_score = 0.6});
  check<S, nearfar::Euclidean>(queries<S>(), keys<S>(),
                               {.k = 9, .skip = 1, .smallest_score = 0.7, .largest_score = 1.4});
}

/// Own positives on any process, with margins measured from their scores.
TYPED_TEST(ShardedNearest, KeepMarginsFromPositivesOfOtherProcesses) {
  using S = TypeParam;
  const Known known{.own = random_keys()};
  const auto both = [&](const NearestOptions& options) {
    check<S, nearfar::Cosine>(queries<S>(), keys<S>(), options, known);
    check<S, nearfar::Euclidean>(queries<S>(), keys<S>(), options, known);
    check<S, nearfar::InnerProduct>(queries<S>(), keys<S>(), options, known);
  };
  both({.k = 9, .margin = 0.1});
  both({.k = 9, .relative_margin = 0.05});
  both({.k = 9, .margin = -0.2, .relative_margin = 0.1});
}

/// Own key i is the positive of own query i, whatever number it has among all keys.
TYPED_TEST(ShardedNearest, TakeOwnKeysAsPositives) {
  using S = TypeParam;
  const Matrix<S> x = queries<S>();
  const Matrix<S> y = keys<S>();
  const NearestOptions options{.k = 9, .margin = 0.05};
  for (const int processes : {1, 2, 4}) {
    std::vector<Index> numbers;
    for (int rank = 0; rank < processes; ++rank) {
      const Index first = first_row(Split::growing, rank, processes, n);
      const Index end = first_row(Split::growing, rank + 1, processes, n);
      const Index key = first_row(Split::growing, rank, processes, m);
      for (Index i = first; i < end; ++i) numbers.push_back(key + i - first);
    }
    const auto want = nearfar::NearestKeys<S>(options).find(x, y, {.own = PositiveKeys(numbers)});
    run_team(processes, [&](Exchange& e) {
      const Part part = part_of(Split::growing, e, n);
      const Part of_keys = part_of(Split::growing, e, m);
      const nearfar::sharded::NearestKeys<S> metric(options);
      for (const Schedule schedule : schedules) {
        expect_same(metric.find({e, schedule}, x.middleRows(part.first, part.count),
                                y.middleRows(of_keys.first, of_keys.count),
                                {.own = PositiveKeys::aligned()}),
                    want, part);
      }
    });
  }
}

/// A matrix that maps both sides, and one that maps queries alone, whose rows are two sets.
TYPED_TEST(ShardedNearest, HaveKernelsWithAMatrix) {
  using S = TypeParam;
  const Matrix<S> square = random_rows<S>(5, 5, 4);
  const Matrix<S> narrow = random_rows<S>(3, 5, 4);
  for (const Known& known : {Known{}, Known{.own = random_keys()}}) {
    NearestOptions options{.k = 5};
    if (!known.own.empty()) options.margin = 0.1;
    check<S>(queries<S>(), keys<S>(), options, known, nearfar::Bilinear<S>(square));
    check<S>(queries<S>(), keys<S>(), options, known, nearfar::Mahalanobis<S>(narrow));
  }
}

TEST(ShardedNearestCalls, TakeRowsIn16Bits) {
  using Rows16 = Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Rows16 x = random_rows<float>(60, 5, 2).cast<Eigen::half>();
  const NearestOptions options{.k = 5};
  const auto want = nearfar::NearestKeys<float>(options).find(x);
  run_team(3, [&](Exchange& e) {
    const Part part = part_of(Split::growing, e, 60);
    const Rows16 own = x.middleRows(part.first, part.count);
    expect_same(nearfar::sharded::NearestKeys<float>(options).find(e, own), want, part);
  });
}

TEST(ShardedNearestCalls, OfNothingAreEmpty) {
  run_team(3, [&](Exchange& e) {
    const Matrix<float> rows = random_rows<float>(4, 5, 2);
    const Matrix<float> none(0, 5);
    const nearfar::sharded::NearestKeys<float> metric({.k = 2});
    EXPECT_EQ(metric.find(e, none, rows).queries(), 0);
    const auto got = metric.find(e, rows, none);
    EXPECT_EQ(got.counts, std::vector<Index>(4, 0));
    EXPECT_EQ(got.indices, std::vector<Index>(8, -1));
    EXPECT_EQ(metric.find(e, none).queries(), 0);
    const auto alone = metric.find(e, rows.topRows(e.rank() == 1 ? 1 : 0));
    EXPECT_EQ(alone.counts, std::vector<Index>(e.rank() == 1 ? 1u : 0u, 0));
  });
}

/// Keys go round once, with what says who is positive; twice if positives of other processes are to
/// be scored first.
TEST(ShardedNearestCalls, SendWhatTheModelSays) {
  constexpr Index rows = 20;
  constexpr Index cols = 6;
  constexpr Index shard = rows * cols * 4;
  const std::vector<int> labels = random_labels(rows, 5, 3);
  const std::vector<Index> own(rows, 1);
  const auto bytes = [&](int size, Schedule schedule, const NearestOptions& options,
                         const KnownPositives& known) {
    return static_cast<Index>(run_team(size, [&](Exchange& e) {
      const Matrix<float> x = random_rows<float>(rows, cols, 1);
      nearfar::sharded::NearestKeys<float>(options).find({e, schedule}, x, x, known);
    }));
  };
  const Targets targets = Targets(labels).ids(labels);
  for (const int size : {1, 2, 3, 5}) {
    SCOPED_TRACE(size);
    const Index hops = Index(size) * (size - 1);
    for (const Schedule schedule : {Schedule::ring, Schedule::all_gather}) {
      EXPECT_EQ(bytes(size, schedule, {}, {}), hops * shard);
      EXPECT_EQ(bytes(size, schedule, {}, {.targets = targets, .key_targets = targets}),
                hops * (shard + 2 * 8 * rows));
      EXPECT_EQ(bytes(size, schedule, {.margin = 0.1}, {.own = PositiveKeys::aligned()}),
                hops * shard);
    }
    // All rows stay once they are gathered.
    EXPECT_EQ(bytes(size, Schedule::ring, {.margin = 0.1}, {.own = own}), 2 * hops * shard);
    EXPECT_EQ(bytes(size, Schedule::all_gather, {.margin = 0.1}, {.own = own}), hops * shard);
  }
}

TEST(ShardedNearestCalls, HoldOneShardOfTheOthers) {
  const auto bytes = [&](int size, Schedule schedule) {
    std::size_t of_first = 0;
    run_team(size, [&](Exchange& e) {
      const Matrix<float> x = random_rows<float>(300, 24, static_cast<std::uint64_t>(e.rank()));
      nearfar::Workspace workspace(1);
      nearfar::sharded::NearestKeys<float>({.k = 20}).find({e, schedule}, x,
                                                           {.workspace = &workspace});
      if (e.rank() == 0) of_first = workspace.bytes();
    });
    return static_cast<double>(of_first);
  };
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered}) {
    EXPECT_LT(bytes(8, schedule), 1.02 * bytes(2, schedule));
  }
}

/// The error of one process is thrown on all, and the next call succeeds.
TEST(ShardedNearestCalls, RefuseWhatDoesNotFitOnAllProcesses) {
  run_team(3, [&](Exchange& e) {
    using Find = nearfar::sharded::NearestKeys<float>;
    const bool mine = e.rank() == 1;
    const Matrix<float> x = random_rows<float>(6, 4, 1);
    const std::vector<int> labels = {0, 1, 2, 0, 1, 2};
    const std::vector<int> few = {0, 1, 2, 0, 1};
    const Find find({.k = 3});
    const std::vector<float> scores = find.find(e, x).scores;
    const auto refused = [&](const auto& call, const std::string& text) {
      expect_error_everywhere(call, text);
      EXPECT_EQ(find.find(e, x).scores, scores);
    };
    Matrix<float> bad = x;
    if (mine) bad(2, 3) = std::numeric_limits<float>::infinity();
    refused([&] { find.find(e, bad); }, "nearfar: rank 1: x: wanted finite elements, got inf");
    refused([&] { find.find(e, x, bad); },
            "nearfar: rank 1: keys: wanted finite elements, got inf");
    refused([&] { find.find(e, x, mine ? random_rows<float>(6, 5, 1) : x); },
            "nearfar: rank 1: keys");
    refused([&] { find.find(e, x, {.targets = mine ? Targets(few) : Targets(labels)}); },
            "nearfar: rank 1: targets: wanted 6");
    refused([&] { find.find(e, x, x, {.targets = labels, .key_targets = mine ? few : labels}); },
            "nearfar: rank 1: key_targets: wanted 6");
    refused([&] { find.find(e, x, {.targets = mine ? Targets() : Targets(labels)}); },
            "nearfar: rank 1: rule of targets: wanted 1 as on rank 0, got 0");
    refused([&] { find.find(e, x, {.targets = mine ? Targets() : Targets().ids(labels)}); },
            "nearfar: rank 1: ids of targets: wanted 1 as on rank 0, got 0");
    // A process without keys says that the keys have ids, or the others would send it some.
    const Matrix<float> none(0, 4);
    refused(
        [&] {
          find.find(e, x, mine ? none : x,
                    {.targets = Targets().ids(labels),
                     .key_targets = mine ? Targets() : Targets().ids(labels)});
        },
        "nearfar: rank 1: ids of key_targets: wanted 1 as on rank 0, got 0");
    refused([&] { find.find(e, x, {.key_targets = labels}); },
            "key_targets: wanted nothing, as the keys of a batch are its rows");
    refused([&] { find.find(e, x, {.targets = Targets(labels).unlabelled(0)}); },
            "targets: wanted targets that all rows have");
    const std::vector<double> weights(6, 1.0);
    refused([&] { find.find(e, x, {.targets = Targets(labels).weights(weights)}); },
            "targets: wanted no weights");
    refused([&] { Find({.k = 3, .margin = 0.1}).find(e, x, x); },
            "own: wanted each query's own positive");
    // Numbers count the keys of all processes.
    const std::vector<Index> own(6, mine ? 18 : 17);
    refused([&] { find.find(e, x, x, {.own = own}); },
            "nearfar: rank 1: own: wanted indices from 0 to 17, got 18");
    refused(
        [&] {
          find.find(e, x, mine ? Matrix<float>(x.topRows(5)) : x, {.own = PositiveKeys::aligned()});
        },
        "nearfar: rank 1: keys: wanted a key for each of 6 queries, got 5");
    const std::vector<Index> offsets = {0, 1, 2, 3, 4, 5, 6};
    const std::vector<Index> columns = {0, 1, 2, 3, 4, mine ? 18 : 17};
    const Targets lists = PositiveLists{offsets, columns};
    refused([&] { find.find(e, x, x, {.targets = lists}); },
            "nearfar: rank 1: targets: wanted columns from 0 to 17, got 18");
    refused([&] { Find({.k = mine ? 4 : 3}).find(e, x); },
            "nearfar: rank 1: k: wanted 3 as on rank 0, got 4");
    refused([&] { Find({.k = 3, .largest_score = mine ? 0.5 : 0.75}).find(e, x); },
            "nearfar: rank 1: largest_score: wanted 0.75 as on rank 0, got 0.5");
    const auto kind = mine ? KnownPositives{} : KnownPositives{.own = PositiveKeys::aligned()};
    refused([&] { find.find(e, x, x, kind); }, "nearfar: rank 1: own positives");
  });
}

}  // namespace
