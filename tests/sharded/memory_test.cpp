#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <thread>
#include <vector>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// The memory of sharded calls, and their errors if one process runs out of memory.

namespace {

/// Number of blocks of a workspace that this thread may still allocate; no other code uses these
/// hooks.
thread_local long blocks_left = -1;  // negative: no limit

}  // namespace

void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  if (blocks_left == 0) throw std::bad_alloc();
  if (blocks_left > 0) --blocks_left;
  const auto unit = static_cast<std::size_t>(alignment);
  void* memory = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;
using nearfar::Sharding;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

/// Offsets of sets of four rows.
std::vector<Index> tokens_of_four(Index rows) {
  std::vector<Index> out;
  for (Index first = 0; first <= rows; first += 4) out.push_back(first);
  return out;
}

/// The additional memory of a process, without scores that it keeps, grows with its rows, and not
/// with the number of processes; with `all_gather` it grows with the whole batch. (Of two processes
/// each meets half of the other's rows, where a pair of rows meets once.)
TEST(ShardedMemory, GrowsWithTheShardNotWithTheNumberOfProcesses) {
  constexpr Index rows = 400;
  using Call = std::function<void(const Sharding&, const Matrix<float>&, const Matrix<float>&,
                                  const nearfar::CallOptions<float>&)>;
  const auto check = [&](const std::string& name, const Call& call, bool gathers_rows) {
    SCOPED_TRACE(name);
    const auto bytes = [&](int size, Schedule schedule) {
      std::size_t of_first = 0;
      run_team(size, [&](Exchange& e) {
        const Matrix<float> x = random_rows<float>(rows, 40, static_cast<std::uint64_t>(e.rank()));
        const Matrix<float> y = random_rows<float>(rows, 40, 100);
        nearfar::Workspace workspace(1);
        call(Sharding(e, schedule, nearfar::GradientScale::for_summing, 0), x, y,
             {.workspace = &workspace});
        if (e.rank() == 0) of_first = workspace.bytes();
      });
      return static_cast<double>(of_first);
    };
    for (const Schedule schedule : {Schedule::ring, Schedule::ordered}) {
      EXPECT_LT(bytes(8, schedule), 1.02 * bytes(4, schedule));
    }
    if (gathers_rows) {
      EXPECT_GT(bytes(8, Schedule::all_gather), 2 * bytes(2, Schedule::all_gather));
    }
  };
  const std::vector<int> labels = random_labels(rows, 5, 3);
  const std::vector<float> scores(labels.begin(), labels.end());
  using namespace nearfar::sharded;
  check(
      "Clip",
      [](const Sharding& where, const auto& x, const auto& y, const auto& options) {
        Matrix<float> dx, dy;
        Clip<float>().forward_backward(where, x, y, dx, dy, options);
      },
      true);
  check(
      "SupCon",
      [&](const Sharding& where, const auto& x, const auto&, const auto& options) {
        Matrix<float> dx;
        SupCon<float>().forward_backward(where, x, labels, dx, options);
      },
      true);
  check(
      "MatryoshkaInfoNce",
      [](const Sharding& where, const auto& x, const auto& y, const auto& options) {
        Matrix<float> dx, dy;
        MatryoshkaInfoNce<float>({.prefixes = {8, 40}})
            .forward_backward(where, x, y, dx, dy, options);
      },
      true);
  const std::vector<Index> offsets = tokens_of_four(rows);
  check(
      "MaxSimInfoNce",
      [&](const Sharding& where, const auto& x, const auto& y, const auto& options) {
        Matrix<float> dx, dy;
        MaxSimInfoNce<float>().forward_backward(where, x, offsets, y, offsets, dx, dy, options);
      },
      true);
  // Numbers are gathered, and no rows.
  check(
      "CoSent",
      [&](const Sharding& where, const auto& x, const auto& y, const auto& options) {
        Matrix<float> dx, dy;
        CoSent<float>().forward_backward(where, x, y, scores, dx, dy, options);
      },
      false);
}

/// True if a call of two processes succeeded although the second may allocate only so many blocks;
/// if not, both must throw.
template <class S>
bool ends_well(const ShardedSubject<S>& subject, const Batch<S>& all, Schedule schedule,
               long blocks) {
  std::atomic<int> told = 0;
  run_team(2, [&](Exchange& exchange) {
    const Batch<S> own = shard_of(all, Split::even, exchange);
    if (exchange.rank() == 1) blocks_left = blocks;
    try {
      subject.many(Sharding(exchange, schedule), own);
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "nearfar: rank 1: out of memory");
      ++told;
    }
    blocks_left = -1;
    // No message of the failed call remains.
    EXPECT_NO_THROW(subject.many(Sharding(exchange, schedule), own));
  });
  EXPECT_NE(told, 1) << "one of two was told";
  return told == 0;
}

/// Late interaction, as a loss of two sets of rows.
ShardedSubject<float> late_interaction() {
  ShardedSubject<float> out{"MaxSimInfoNce Cosine", 2, false, {}, {}, {}};
  out.many = [](const Sharding& where, const Batch<float>& x) {
    const std::vector<Index> offsets = tokens_of_four(x.rows[0].rows());
    Outcome<float> got;
    got.gradients.resize(2);
    got.result = nearfar::sharded::MaxSimInfoNce<float>().forward_backward(
        where, x.rows[0], offsets, x.rows[1], offsets, got.gradients[0], got.gradients[1]);
    return got;
  };
  return out;
}

TEST(ShardedMemory, LackOfItOnOneProcessIsThrownByAll) {
  std::vector<ShardedSubject<float>> subjects = sharded_subjects<float>();
  subjects.push_back(late_interaction());
  for (const ShardedSubject<float>& subject : subjects) {
    const bool one_of_a_kind = !subject.has_kernel() || subject.name.ends_with(" Cosine") ||
                               subject.name == "HadsellContrastive Euclidean" ||
                               subject.name.starts_with("SnrContrastive") ||
                               subject.name.starts_with("MinedTriplet Euclidean");
    if (!one_of_a_kind) continue;
    const Batch<float> all = batch_for(subject, 240, 40, 3);
    for (const Schedule schedule : schedules) {
      SCOPED_TRACE(subject.name + ", schedule " + std::to_string(static_cast<int>(schedule)));
      long blocks = 0;
      while (!ends_well(subject, all, schedule, blocks)) ++blocks;
      EXPECT_GE(blocks, subject.has_kernel() ? 3 : 2);
    }
  }
}

/// One process, whose call waits for permission to continue.
class Held final : public nearfar::Alone {
 public:
  void gather(const void* own, Index bytes, void* all) override {
    begun = true;
    begun.notify_all();
    go_on.wait(false);
    Alone::gather(own, bytes, all);
  }
  std::atomic<bool> begun = false;
  std::atomic<bool> go_on = false;
};

TEST(ShardedMemory, AWorkspaceInUseOnOneProcessIsRefusedOnAll) {
  const Matrix<float> x = random_rows<float>(20, 4, 1);
  const nearfar::sharded::InfoNce<float> loss;
  nearfar::Workspace workspace(1);
  Held held;
  std::thread other([&] { loss.forward(held, x, x, {.workspace = &workspace}); });
  held.begun.wait(false);
  run_team(2, [&](Exchange& exchange) {
    expect_error_everywhere(
        [&] {
          loss.forward(exchange, x, x, {.workspace = exchange.rank() == 1 ? &workspace : nullptr});
        },
        "nearfar: rank 1: workspace: wanted one that no other call is using");
  });
  held.go_on = true;
  held.go_on.notify_all();
  other.join();
}

}  // namespace
