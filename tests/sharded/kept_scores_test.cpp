#include <gtest/gtest.h>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Scores that a process keeps between its rounds: the same bits, with memory as stated.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::GradientScale;
using nearfar::Schedule;
using nearfar::Sharding;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

template <class S>
class ShardedKeptScores : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedKeptScores, Scalars);

/// None are kept, those of some panels, or all. Some rows are equal: cosines of 1 are clamped, and
/// distances of 0 are computed from the rows.
TYPED_TEST(ShardedKeptScores, GiveTheSameBits) {
  using S = TypeParam;
  constexpr Index n = 230;
  for (const ShardedSubject<S>& subject : sharded_subjects<S>()) {
    // A kernel of each geometry, and losses that compute scores twice.
    const bool chosen = !subject.has_kernel() || subject.name.ends_with(" Cosine") ||
                        subject.name.ends_with(" Euclidean");
    if (!chosen) continue;
    if (subject.name.starts_with("MinedTriplet")) continue;
    Batch<S> all = batch_for(subject, n, 6, 41);
    for (Matrix<S>& rows : all.rows) rows.middleRows(100, 40) = rows.middleRows(20, 40);
    for (const int processes : {3, 4}) {
      const Split split = processes == 3 ? Split::even : Split::growing;
      run_team(processes, [&](Exchange& e) {
        const Batch<S> own = shard_of(all, split, e);
        for (const Schedule schedule : schedules) {
          SCOPED_TRACE(subject.name + ", process " + std::to_string(e.rank()) + " of " +
                       std::to_string(processes) + ", schedule " +
                       std::to_string(static_cast<int>(schedule)));
          const auto with = [&](Index bytes) {
            return subject.many({e, schedule, GradientScale::for_summing, bytes}, own);
          };
          const Outcome<S> want = with(0);
          expect_same_bits(with(e.rank() == 0 ? 100000 : 200000), want);
          expect_same_bits(with(Index(16) << 20), want);
        }
      });
    }
  }
}

TEST(ShardedKeptScoresCalls, TakeNoMoreThanTheirBytes) {
  const auto bytes = [&](Schedule schedule, Index kept, const auto& call) {
    std::size_t of_first = 0;
    run_team(4, [&](Exchange& e) {
      const auto seed = static_cast<std::uint64_t>(e.rank());
      nearfar::Workspace workspace(1);
      call(Sharding{e, schedule, GradientScale::for_summing, kept},
           random_rows<float>(300, 8, seed), random_rows<float>(300, 8, 100 + seed),
           nearfar::CallOptions<float>{.workspace = &workspace});
      if (e.rank() == 0) of_first = workspace.bytes();
    });
    return static_cast<Index>(of_first);
  };
  const auto check = [&](Schedule schedule, const auto& call) {
    const Index none = bytes(schedule, 0, call);
    const Index all = bytes(schedule, Index(16) << 20, call);
    constexpr Index scores = 300 * 1200 * 4;
    EXPECT_GT(all, none + scores);
    EXPECT_LT(all, none + 2 * scores);  // panels and tiles are whole ones
    constexpr Index some = scores / 2;
    EXPECT_GT(bytes(schedule, some, call), none);
    EXPECT_LE(bytes(schedule, some, call), none + some + 4096);
  };
  const auto info_nce = [](const Sharding& where, const auto& x, const auto& y,
                           const nearfar::CallOptions<float>& options) {
    Matrix<float> dx, dy;
    nearfar::sharded::InfoNce<float>().forward_backward(where, x, y, dx, dy, options);
  };
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered}) check(schedule, info_nce);
  check(Schedule::ring, [](const Sharding& where, const auto& x, const auto& y,
                           const nearfar::CallOptions<float>& options) {
    Matrix<float> dx, dy;
    nearfar::sharded::Clip<float>().forward_backward(where, x, y, dx, dy, options);
  });
}

TEST(ShardedKeptScoresCalls, RefuseANegativeNumberOfBytes) {
  run_team(2, [&](Exchange& e) {
    const Matrix<float> x = random_rows<float>(6, 4, 1);
    const Index bytes = e.rank() == 1 ? -1 : 0;
    expect_error_everywhere(
        [&] {
          nearfar::sharded::InfoNce<float>().forward(
              {e, Schedule::ring, GradientScale::for_summing, bytes}, x, x);
        },
        "nearfar: rank 1: most_bytes_kept: wanted a number >= 0, got -1");
  });
}

}  // namespace
