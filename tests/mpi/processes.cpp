#include <gtest/gtest.h>
#include <mpi.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <nearfar/adapters/mpi.hpp>
#include <nearfar/sharded/time_limit.hpp>
#include <string_view>
#include <thread>

#include "support/sharded_cases.hpp"

/// Sharded losses over MPI, run by mpirun with any number of processes, and what MPI adds: copies
/// of communicators, groups of processes, bytes. With the argument "die" its last process ends in
/// the middle of a call; with "stand_still" it makes no call.

namespace {

using namespace support;
using nearfar::Schedule;
using nearfar::mpi::Communicator;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

/// Tests with threads cover all schedules with all splits (tests/sharded); over MPI, each occurs
/// once.
TEST(Mpi, LossesAreThoseOfOneProcess) {
  Communicator world(MPI_COMM_WORLD);
  for (const auto& [schedule, split] : {std::pair{Schedule::ring, Split::growing},
                                        {Schedule::ordered, Split::first_has_none},
                                        {Schedule::all_gather, Split::even}}) {
    SCOPED_TRACE("schedule " + std::to_string(static_cast<int>(schedule)) + ", split " +
                 std::to_string(static_cast<int>(split)));
    expect_equal_to_one_process<float>(world, split, schedule);
    expect_equal_to_one_process<double>(world, split, schedule);
  }
}

TEST(Mpi, ErrorsOfOneProcessAreThoseOfAllAndTheNextCallIsGood) {
  Communicator world(MPI_COMM_WORLD);
  if (world.size() == 1) GTEST_SKIP() << "needs another process";
  for (const Schedule schedule : schedules) expect_errors_on_all(world, schedule);
}

TEST(Mpi, RetrievalIsThatOfOneProcess) {
  Communicator world(MPI_COMM_WORLD);
  const Matrix<float> x = random_rows<float>(60, 5, 2);
  const std::vector<int> labels = random_labels(60, 9, 3);
  const auto want = nearfar::Retrieval<float>().evaluate(x, labels);
  const Batch<float> own = shard_of(Batch<float>{{x}, labels}, Split::growing, world);
  const auto got = nearfar::sharded::Retrieval<float>().evaluate(world, own.rows[0], own.labels);
  EXPECT_EQ(got.recall, want.recall);
  EXPECT_EQ(got.map_at_r, want.map_at_r);
}

TEST(Mpi, NearestKeysAndTheirVotesAreThoseOfOneProcess) {
  Communicator world(MPI_COMM_WORLD);
  const Matrix<float> x = random_rows<float>(60, 5, 2);
  const std::vector<int> labels = random_labels(60, 9, 3);
  const auto want = nearfar::NearestKeys<float>({.k = 4}).find(x);
  const auto want_votes = nearfar::KnnAccuracy<float>({.k = 4}).evaluate(x, labels);
  const Index first = first_row(Split::growing, world.rank(), world.size(), 60);
  const Batch<float> own = shard_of(Batch<float>{{x}, labels}, Split::growing, world);
  const auto got = nearfar::sharded::NearestKeys<float>({.k = 4}).find(world, own.rows[0]);
  for (Index i = 0; i < got.queries(); ++i) {
    for (Index rank = 0; rank < 4; ++rank) {
      EXPECT_EQ(got.index(i, rank), want.index(first + i, rank));
      EXPECT_EQ(got.score(i, rank), want.score(first + i, rank));
    }
  }
  const auto votes =
      nearfar::sharded::KnnAccuracy<float>({.k = 4}).evaluate(world, own.rows[0], own.labels);
  EXPECT_EQ(votes.correct, want_votes.correct);
}

/// Groups of a split communicator run at the same time, each on its own batch.
TEST(Mpi, GroupsExchangeNoMessages) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
  {
    Communicator group(half);
    const Matrix<double> all = random_rows<double>(40, 6, static_cast<std::uint64_t>(rank % 2));
    const std::vector<int> labels = random_labels(40, 5, 1);
    const Batch<double> own = shard_of(Batch<double>{{all}, labels}, Split::even, group);
    const double want = nearfar::SupCon<double>().forward(all, labels).value;
    const double got =
        nearfar::sharded::SupCon<double>().forward(group, own.rows[0], own.labels).value;
    EXPECT_NEAR(got, want, 1e-12 * want);
  }
  MPI_Comm_free(&half);
}

/// The caller's messages on the communicator do not mix with the library's.
TEST(Mpi, MessagesOfTheCallersStayTheCallers) {
  Communicator world(MPI_COMM_WORLD);
  if (world.size() == 1) GTEST_SKIP() << "needs another process";
  const int right = (world.rank() + 1) % world.size();
  const int left = (world.rank() + world.size() - 1) % world.size();
  const int sent = 100 + world.rank();
  int received = 0;
  MPI_Request requests[2];
  MPI_Isend(&sent, 1, MPI_INT, right, 1, MPI_COMM_WORLD, &requests[0]);
  const Matrix<float> x = random_rows<float>(8, 4, 1);
  Matrix<float> dq;
  Matrix<float> dk;
  nearfar::sharded::InfoNce<float>().forward_backward(world, x, x, dq, dk);
  MPI_Irecv(&received, 1, MPI_INT, left, 1, MPI_COMM_WORLD, &requests[1]);
  MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  EXPECT_EQ(received, 100 + left);
}

TEST(Mpi, BytesSentAreThoseOfTheModel) {
  Communicator world(MPI_COMM_WORLD);
  constexpr Index rows = 30;
  constexpr Index cols = 7;
  const Matrix<double> x = random_rows<double>(rows, cols, 1);
  Matrix<double> dq;
  Matrix<double> dk;
  const auto bytes_of = [&](Schedule schedule) {
    const std::int64_t before = world.bytes_sent();
    nearfar::sharded::InfoNce<double>().forward_backward({world, schedule}, x, x, dq, dk);
    return world.bytes_sent() - before;
  };
  // Keys twice and their gradients once, to each other process. With all_gather, two sums of eight
  // bytes at most twice.
  const Index hops = world.size() - 1;
  const Index shard = rows * cols * Index(sizeof(double));
  EXPECT_EQ(bytes_of(Schedule::ring), 3 * hops * shard);
  const std::int64_t gathered = bytes_of(Schedule::all_gather);
  EXPECT_GE(gathered, 2 * hops * shard);
  EXPECT_LE(gathered, 2 * hops * shard + 32);
}

bool refuses_before_init() {
  try {
    const Communicator world(MPI_COMM_WORLD);
  } catch (const std::runtime_error& error) {
    return std::string_view(error.what()).find("MPI_Init") != std::string_view::npos;
  }
  return false;
}

/// The last process ends before the ring is complete; MPI must end the others.
void die_in_a_call() {
  Communicator world(MPI_COMM_WORLD);
  const Matrix<float> x = random_rows<float>(64, 8, 1);
  const nearfar::sharded::NtXent<float> loss;
  loss.forward(world, x, x);
  if (world.rank() == world.size() - 1) std::_Exit(3);
  Matrix<float> d1;
  Matrix<float> d2;
  for (;;) loss.forward_backward(world, x, x, d1, d2);
}

/// The last process makes no second call. The others end all of them, with status 7 if each of
/// them names it.
void stand_still_in_a_call() {
  Communicator world(MPI_COMM_WORLD);
  nearfar::TimeLimit limited(world, 5);
  const Matrix<float> x = random_rows<float>(64, 8, 1);
  const nearfar::sharded::NtXent<float> loss;
  loss.forward(limited, x, x);
  const int last = world.size() - 1;
  if (world.rank() == last) std::this_thread::sleep_for(std::chrono::seconds(50));
  const std::string wanted = "nearfar: rank " + std::to_string(last) + " is silent";
  try {
    loss.forward(limited, x, x);
  } catch (const std::runtime_error& error) {
    const bool is_named = std::string_view(error.what()).find(wanted) != std::string_view::npos;
    if (!is_named) MPI_Abort(MPI_COMM_WORLD, 8);
    std::this_thread::sleep_for(std::chrono::seconds(5));  // until the others have theirs
    MPI_Abort(MPI_COMM_WORLD, 7);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool refuses = refuses_before_init();
  MPI_Init(&argc, &argv);
  if (argc > 1 && std::string_view(argv[1]) == "die") die_in_a_call();
  if (argc > 1 && std::string_view(argv[1]) == "stand_still") stand_still_in_a_call();
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  testing::InitGoogleTest(&argc, argv);
  if (rank > 0) testing::FLAGS_gtest_brief = true;  // prints failures only
  int failed = RUN_ALL_TESTS();
  if (!refuses) {
    std::cerr << "a Communicator before MPI_Init was not refused\n";
    failed = 1;
  }
  int any_failed = 0;
  MPI_Allreduce(&failed, &any_failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Finalize();
  return any_failed;
}
