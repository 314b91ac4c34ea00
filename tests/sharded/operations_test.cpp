#include <gtest/gtest.h>

#include <functional>
#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>

#include "support/counted_kernel.hpp"
#include "support/random.hpp"
#include "support/team.hpp"

/// The operations of sharded calls, counted: pairs whose score or its slope is computed.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;

struct Counts {
  Index scores;
  Index slopes;
};

constexpr Index rows = 480;
constexpr Index cols = 4;

Counts counted(const std::function<void()>& run) {
  scores = slopes = 0;
  run();
  return {scores, slopes};
}

/// call(loss, where, rows [first, first + count)) of each process.
template <class Many, class Call>
Counts of_team(const Many& many, int processes, Schedule schedule, const Call& call) {
  return counted([&] {
    run_team(processes, [&](Exchange& e) {
      const Index first = rows * e.rank() / processes;
      call(many, nearfar::Sharding(e, schedule), first, rows * (e.rank() + 1) / processes - first);
    });
  });
}

/// Pairs that panels of rows with themselves take from both sides, at most.
constexpr Index both_sides = rows * 96;

template <class One, class Many>
void expect_each_pair_once(const One& one, const Many& many, Index more_scores = 0) {
  const Matrix<double> x = random_rows<double>(rows, cols, 1);
  const std::vector<int> labels = random_labels(rows, 20, 2);
  Matrix<double> dx;
  const Counts want = counted([&] { one.forward_backward(x, labels, dx); });
  EXPECT_LE(want.slopes, rows * (rows - 1) / 2 + both_sides / 2);
  const auto call = [&](const auto& loss, const nearfar::Sharding& where, Index first,
                        Index count) {
    const Matrix<double> own = x.middleRows(first, count);
    const std::vector<int> own_labels(labels.begin() + first, labels.begin() + first + count);
    Matrix<double> own_dx;
    loss.forward_backward(where, own, own_labels, own_dx);
  };
  for (const int processes : {1, 2, 3, 4, 5}) {
    SCOPED_TRACE(processes);
    const Counts got = of_team(many, processes, Schedule::ring, call);
    EXPECT_GE(got.slopes, rows * (rows - 1) / 2);
    EXPECT_LE(got.slopes, want.slopes);
    EXPECT_LE(got.scores, want.scores + want.scores / 50 + more_scores);
    EXPECT_EQ(of_team(many, processes, Schedule::ordered, call).slopes, rows * (rows - 1));
  }
}

TEST(ShardedOperations, OfRowsWithThemselvesAreThoseOfOneProcess) {
  using namespace nearfar;
  expect_each_pair_once(SupCon<double, CountedSimilarity>(),
                        sharded::SupCon<double, CountedSimilarity>());
  expect_each_pair_once(MultiSimilarity<double, CountedSimilarity>({.epsilon = {}}),
                        sharded::MultiSimilarity<double, CountedSimilarity>({.epsilon = {}}));
  expect_each_pair_once(Circle<double, CountedSimilarity>(),
                        sharded::Circle<double, CountedSimilarity>());
  expect_each_pair_once(LinearContrastive<double, CountedDistance>(),
                        sharded::LinearContrastive<double, CountedDistance>());
  expect_each_pair_once(MarginLoss<double, CountedDistance>(),
                        sharded::MarginLoss<double, CountedDistance>());
  expect_each_pair_once(LiftedStructure<double, CountedDistance>(),
                        sharded::LiftedStructure<double, CountedDistance>());
  expect_each_pair_once(GeneralizedLiftedStructure<double, CountedDistance>(),
                        sharded::GeneralizedLiftedStructure<double, CountedDistance>());
  expect_each_pair_once(Nca<double, CountedDistance>(), sharded::Nca<double, CountedDistance>());
  expect_each_pair_once(RankedList<double, CountedDistance>(),
                        sharded::RankedList<double, CountedDistance>());
  expect_each_pair_once(IntraPairVariance<double, CountedSimilarity>(),
                        sharded::IntraPairVariance<double, CountedSimilarity>());
  // One process keeps the scores of positives, in place of a sweep of all scores.
  const Sincere<double, CountedSimilarity> sincere;
  const Matrix<double> x = random_rows<double>(rows, cols, 1);
  const Counts sweep = counted([&] { sincere.forward(x, random_labels(rows, 20, 2)); });
  expect_each_pair_once(sincere, sharded::Sincere<double, CountedSimilarity>(), sweep.scores);
}

/// Of views of one set, and of two sets, of which each pair has one score.
TEST(ShardedOperations, OfPairsAreThoseOfOneProcess) {
  using namespace nearfar;
  const Matrix<double> x = random_rows<double>(rows, cols, 1);
  const Matrix<double> y = random_rows<double>(rows, cols, 2);
  const auto check = [&](const auto& one, const auto& many, Index least) {
    Matrix<double> dx, dy;
    const Counts want = counted([&] { one.forward_backward(x, y, dx, dy); });
    const auto call = [&](const auto& loss, const Sharding& where, Index first, Index count) {
      Matrix<double> own_dx, own_dy;
      loss.forward_backward(where, x.middleRows(first, count), y.middleRows(first, count), own_dx,
                            own_dy);
    };
    for (const int processes : {1, 2, 3, 4, 5}) {
      SCOPED_TRACE(processes);
      const Counts got = of_team(many, processes, Schedule::ring, call);
      EXPECT_GE(got.slopes, least);
      EXPECT_LE(got.slopes, want.slopes);
      EXPECT_LE(got.scores, want.scores + want.scores / 50);
    }
  };
  check(Clip<double, CountedSimilarity>(), sharded::Clip<double, CountedSimilarity>(), rows * rows);
  check(NtXent<double, CountedSimilarity>(), sharded::NtXent<double, CountedSimilarity>(),
        rows * (2 * rows - 1));
  check(RinceViews<double, CountedSimilarity>(), sharded::RinceViews<double, CountedSimilarity>(),
        rows * (2 * rows - 1));
  check(Dclw<double, CountedSimilarity>(), sharded::Dclw<double, CountedSimilarity>(),
        rows * (2 * rows - 1));
  check(Dhel<double, CountedSimilarity>(), sharded::Dhel<double, CountedSimilarity>(), rows * rows);
}

/// A batch-hard triplet needs scores alone, and the slopes of two pairs of each anchor.
TEST(ShardedOperations, OfBatchHardTripletsAreThoseOfOneProcess) {
  using namespace nearfar;
  const Matrix<double> x = random_rows<double>(rows, cols, 1);
  const std::vector<int> labels = random_labels(rows, 20, 2);
  const MinedTripletOptions options{.mining = Mining::batch_hard};
  const Counts want =
      counted([&] { MinedTriplet<double, CountedDistance>(options).forward(x, labels); });
  const sharded::MinedTriplet<double, CountedDistance> many(options);
  for (const int processes : {1, 2, 3, 4, 5}) {
    SCOPED_TRACE(processes);
    const Counts got = of_team(
        many, processes, Schedule::ring,
        [&](const auto& loss, const Sharding& where, Index first, Index count) {
          const std::vector<int> own(labels.begin() + first, labels.begin() + first + count);
          loss.forward(where, x.middleRows(first, count), own);
        });
    EXPECT_LE(got.scores, want.scores + want.scores / 50);
  }
}

}  // namespace
