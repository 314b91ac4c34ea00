#include <gtest/gtest.h>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Bits are the same with `ordered` for any number of processes and threads; otherwise in each run.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;
using nearfar::Sharding;

constexpr Index grid = 384;

/// The results of all processes as one.
template <class S>
Outcome<S> all_together(const ShardedSubject<S>& subject, const Batch<S>& all, int processes,
                        const std::vector<Index>& ends, Schedule schedule) {
  std::vector<Outcome<S>> parts(static_cast<std::size_t>(processes));
  run_team(processes, [&](Exchange& exchange) {
    const auto rank = static_cast<std::size_t>(exchange.rank());
    const Index first = rank == 0 ? 0 : ends[rank - 1];
    parts[rank] =
        subject.many(Sharding(exchange, schedule), part_of(all, first, ends[rank] - first));
  });
  Outcome<S> out = parts.front();
  for (std::size_t k = 0; k < out.gradients.size(); ++k) {
    Matrix<S> whole(all.rows[0].rows(), all.rows[0].cols());
    Index first = 0;
    for (const Outcome<S>& part : parts) {
      whole.middleRows(first, part.gradients[k].rows()) = part.gradients[k];
      first += part.gradients[k].rows();
    }
    out.gradients[k] = whole;
  }
  return out;
}

template <class S>
class ShardedBits : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedBits, Scalars);

TYPED_TEST(ShardedBits, InOrderAreThoseOfAnyNumberOfProcessesOnTheGrid) {
  using S = TypeParam;
  constexpr Index n = 2 * grid + 50;
  for (const ShardedSubject<S>& subject : sharded_subjects<S>()) {
    // A view's number is not its position in the global batch, where a sample's views are together.
    if (subject.stacks_views) continue;
    // A kernel of each geometry.
    if (subject.has_kernel() && subject.name.find(" Cosine") == std::string::npos &&
        subject.name.find(" Euclidean") == std::string::npos) {
      continue;
    }
    SCOPED_TRACE(subject.name);
    const Batch<S> all = batch_for(subject, n, 6, 23);
    const Outcome<S> want = all_together(subject, all, 1, {n}, Schedule::ordered);
    expect_same_bits(all_together(subject, all, 2, {grid, n}, Schedule::ordered), want);
    expect_same_bits(all_together(subject, all, 4, {grid, grid, 2 * grid, n}, Schedule::ordered),
                     want);
  }
}

TYPED_TEST(ShardedBits, AreTheSameFromRunToRun) {
  using S = TypeParam;
  for (const ShardedSubject<S>& subject : sharded_subjects<S>()) {
    SCOPED_TRACE(subject.name);
    const Batch<S> all = batch_for(subject, 150, 6, 29);
    for (const Schedule schedule : {Schedule::ring, Schedule::all_gather}) {
      const auto run = [&] { return all_together(subject, all, 3, {40, 90, 150}, schedule); };
      expect_same_bits(run(), run());
    }
  }
}

TYPED_TEST(ShardedBits, AreTheSameAtAnyNumberOfThreads) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(700, 8, 31);
  const Matrix<S> y = random_rows<S>(700, 8, 32);
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    std::vector<Matrix<S>> gradients;
    std::vector<double> values;
    for (const int threads : {1, 2, 5}) {
      nearfar::Alone alone;
      nearfar::Workspace workspace(threads);
      Matrix<S> dx;
      Matrix<S> dy;
      values.push_back(
          nearfar::sharded::InfoNce<S>()
              .forward_backward({alone, schedule}, x, y, dx, dy, {.workspace = &workspace})
              .value);
      gradients.push_back(dx);
      gradients.push_back(dy);
    }
    for (std::size_t k = 1; k < values.size(); ++k) {
      EXPECT_EQ(values[k], values[0]);
      EXPECT_TRUE(same_bits(gradients[2 * k], gradients[0]));
      EXPECT_TRUE(same_bits(gradients[2 * k + 1], gradients[1]));
    }
  }
}

/// With `all_gather`, results of own rows alone have the bits of one process.
TYPED_TEST(ShardedBits, AllGatherHasOneProcessBitsExceptKeyGradients) {
  using S = TypeParam;
  const Batch<S> all{{random_rows<S>(120, 7, 1), random_rows<S>(120, 7, 2)}, {}};
  Outcome<S> want;
  want.gradients.resize(2);
  const nearfar::InfoNce<S> one({.temperature = 0.2});
  want.result =
      one.forward_backward(all.rows[0], all.rows[1], want.gradients[0], want.gradients[1]);
  run_team(3, [&](Exchange& exchange) {
    const Batch<S> own = shard_of(all, Split::even, exchange);
    Matrix<S> dq;
    const nearfar::Result got = nearfar::sharded::InfoNce<S>({.temperature = 0.2})
                                    .forward_backward({exchange, Schedule::all_gather}, own.rows[0],
                                                      own.rows[1], dq, nearfar::no_gradient);
    EXPECT_EQ(got.value, want.result.value);
    EXPECT_TRUE(same_bits<S>(dq, want.gradients[0].middleRows(40 * exchange.rank(), 40)));
  });
}

}  // namespace
