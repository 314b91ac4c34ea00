#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <nearfar/sharded.hpp>
#include <utility>

#include "support/random.hpp"
#include "support/simulated_network.hpp"

/// The time that a call takes on many machines: the real schedules over a simulated network, beside
/// the formulas of docs/sharded.md. The tables are printed as they are there.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;
using nearfar::Sharding;

/// A batch and the machines that share it.
struct Setting {
  int processes;
  double rows;       ///< of the batch
  double cols;       ///< D
  double flops;      ///< of a machine, a second
  double bandwidth;  ///< bytes a second, in each direction
  double latency = 0;
  bool moves_while_busy = true;
};

// Each process has this many rows, for the whole number of the setting.
constexpr Index own_rows = 2;
constexpr Index cols = 128;

/// Forward and backward of a loss on one process' rows, which are random.
using Call = std::function<void(const Sharding&, const Matrix<float>&, const Matrix<float>&)>;

struct Loss {
  Call call;
  // How often the kernel is applied to the product of a pair of rows: in a ring, and where all rows
  // are gathered and products are kept from the first sweep to the second.
  double in_ring;
  double gathered;
};

double seconds_of(const Setting& s, Schedule schedule, const Loss& loss) {
  const double times_rows = s.rows / static_cast<double>(own_rows * s.processes);
  const double times_cols = s.cols / static_cast<double>(cols);
  const double product = 2 * s.cols / s.flops * times_rows * times_rows;
  const double scores = schedule == Schedule::all_gather ? loss.gathered : loss.in_ring;
  const SimulatedMachine machine{product / scores, 2 * product,
                                 times_rows * times_cols / s.bandwidth, s.latency,
                                 s.moves_while_busy};
  return simulated_seconds(s.processes, machine, [&](Exchange& exchange) {
    const auto seed = static_cast<std::uint64_t>(exchange.rank());
    loss.call(Sharding(exchange, schedule), random_rows<float>(own_rows, cols, 2 * seed),
              random_rows<float>(own_rows, cols, 2 * seed + 1));
  });
}

template <class ShardedLoss>
void forward_backward(const Sharding& where, const Matrix<float>& x, const Matrix<float>& y) {
  Matrix<float> dx, dy;
  ShardedLoss().forward_backward(where, x, y, dx, dy);
}

const Loss info_nce = {forward_backward<nearfar::sharded::InfoNce<float, CountedSimilarity>>, 1, 2};
const Loss sig_lip = {forward_backward<nearfar::sharded::SigLip<float, CountedSimilarity>>, 2, 2};

/// Seconds of N^2 D operations, and of N D floats on a link.
double work(const Setting& s) { return s.rows * s.rows * s.cols / (s.processes * s.flops); }
double link(const Setting& s) { return s.rows * s.cols * 4 / s.bandwidth; }

// Machines of the page's predictions.
Setting of_page(int processes, double bandwidth) {
  return {processes, 1e6, 128, 6.4e12, bandwidth};
}
constexpr double fast = 12.5e9;
constexpr double slow = 1.25e9;

TEST(Simulation, OfFastLinksIsThatOfTheOperations) {
  for (const int processes : {8, 64}) {
    SCOPED_TRACE(processes);
    const Setting s = of_page(processes, 1e15);
    EXPECT_NEAR(seconds_of(s, Schedule::ring, info_nce), 8 * work(s), 0.001 * work(s));
    EXPECT_NEAR(seconds_of(s, Schedule::all_gather, info_nce), 6 * work(s), 0.001 * work(s));
    EXPECT_NEAR(seconds_of(s, Schedule::ring, sig_lip), 6 * work(s), 0.001 * work(s));
  }
}

TEST(Simulation, OfSlowLinksIsThatOfTheBytes) {
  const Setting s = of_page(64, 1e6);
  const double once = 63.0 / 64 * link(s);  // all shards but one's own
  EXPECT_NEAR(seconds_of(s, Schedule::ring, info_nce), 3 * once, 0.1 * once);
  EXPECT_NEAR(seconds_of(s, Schedule::all_gather, info_nce), 2 * once, 0.1 * once);
  EXPECT_NEAR(seconds_of(s, Schedule::ring, sig_lip), 2 * once, 0.1 * once);
}

/// A ring hides the delay of a message behind the work on the block before: there are 63 blocks a
/// round, but the delays of the gatherings alone remain, each of 6 successive messages.
TEST(Simulation, DelaysOfHalfABlocksWorkAreHidden) {
  for (const auto& [loss, least] : {std::pair{&info_nce, 2.0}, {&sig_lip, 6.0}}) {
    Setting s = of_page(64, 1e15);
    const double prompt = seconds_of(s, Schedule::ring, *loss);
    s.latency = least * work(s) / s.processes / 2;  // of the round with the least work
    const double delayed = seconds_of(s, Schedule::ring, *loss);
    EXPECT_LE(delayed - prompt, 10 * 6 * s.latency);
  }
}

TEST(Simulation, MessagesThatMoveOnlyInWaitsAddTheirTime) {
  Setting s = of_page(16, slow);
  s.moves_while_busy = false;
  EXPECT_NEAR(seconds_of(s, Schedule::ring, info_nce), 8 * work(s) + 3 * link(s), 0.2 * link(s));
}

TEST(Simulation, TableOfThePage) {
  std::printf("| link | P | ring | ordered | all_gather |\n");
  for (const double bandwidth : {fast, slow}) {
    for (const int processes : {8, 32, 64, 128}) {
      Setting s = of_page(processes, bandwidth);
      s.latency = 10e-6;
      const double ring = seconds_of(s, Schedule::ring, info_nce);
      const double gathered = seconds_of(s, Schedule::all_gather, info_nce);
      std::printf("| %.0f Gb/s | %d | %.3g | %.3g | %.3g |\n", bandwidth * 8e-9, processes, ring,
                  seconds_of(s, Schedule::ordered, info_nce), gathered);
      // In a ring each of the two rounds takes its work or its messages, whichever is longer.
      const double rounds = std::max(2 * work(s), link(s)) + std::max(6 * work(s), 2 * link(s));
      EXPECT_NEAR(ring, rounds, 0.1 * rounds);
      EXPECT_NEAR(gathered, 6 * work(s) + 2 * link(s), 0.1 * gathered);
    }
  }
}

}  // namespace
