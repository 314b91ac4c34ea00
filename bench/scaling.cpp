#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <nearfar/adapters/mpi.hpp>
#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/data.hpp"

/// \file
/// Scaling of losses with processes: mpirun -n 2 bench_scaling [N ...], one thread a process.
/// Strong scaling compares one batch of N rows on all processes with the same batch on one; weak
/// scaling gives each process N rows. Cases that are compared are measured in turn, the best of
/// some tries; processes without work sleep. The first process writes tables to standard output.

namespace {

using bench::RowMatrix;
using Eigen::Index;
using nearfar::Schedule;
using nearfar::Sharding;
using nearfar::mpi::Communicator;
using Labels = std::vector<int>;

constexpr Index cols = 128;
constexpr int tries = 7;
constexpr double temperature = 0.1;

const std::pair<Schedule, const char*> schedules[] = {
    {Schedule::ring, "ring"}, {Schedule::ordered, "ordered"}, {Schedule::all_gather, "all_gather"}};

/// Rows of one process, and destinations of their gradients.
struct Shard {
  Shard(Index first, Index rows, Index all)
      : x(bench::normal_rows<float>(all, cols, 1).middleRows(first, rows)),
        y(x + bench::normal_rows<float>(all, cols, 2).middleRows(first, rows)) {
    const Labels every = bench::labels(all);
    labels.assign(every.begin() + first, every.begin() + first + rows);
  }

  RowMatrix<float> x;
  RowMatrix<float> y;
  Labels labels;
  RowMatrix<float> dx;
  RowMatrix<float> dy;
  nearfar::Workspace workspace{1};
};

/// What docs/sharded.md states for a loss of sets of N rows, if no scores are kept.
struct Counts {
  double one, ring, ordered, all_gather;  ///< operations, in units of N^2 D
  double rounds;                          ///< of a ring in which shards pass through all processes
  double visits;                          ///< of a ring in which each pair of shards meets once
  double statistics;                      ///< bytes a row that visits
  double gathered;                        ///< with all_gather: shards, for each other process

  double operations(Schedule schedule) const {
    return schedule == Schedule::ring ? ring : schedule == Schedule::ordered ? ordered : all_gather;
  }

  /// Bytes that each of p processes sends on average, with n rows each.
  double bytes(Schedule schedule, double p, double n) const {
    const double shard = n * static_cast<double>(cols * Index(sizeof(float)));
    if (schedule == Schedule::all_gather) return gathered * (p - 1) * shard;
    const bool odd = std::fmod(p, 2) > 0;
    const double visitors = odd ? (p - 1) / 2 : p / 2 - 0.25;
    return rounds * (p - 1) * shard + visits * visitors * shard +
           statistics * (visits > 0 ? visitors : p - 1) * n;
  }
};

/// Forward and backward of one loss, on one process and on many.
struct Subject {
  std::string name;
  Counts counts;
  std::function<void(Shard&)> one;
  std::function<void(const Sharding&, Shard&)> many;
};

template <class One, class Many>
Subject of_two_sets(const char* name, const One& one, const Many& many, const Counts& counts) {
  return {
      name, counts,
      [one](Shard& s) { one.forward_backward(s.x, s.y, s.dx, s.dy, {.workspace = &s.workspace}); },
      [many](const Sharding& where, Shard& s) {
        many.forward_backward(where, s.x, s.y, s.dx, s.dy, {.workspace = &s.workspace});
      }};
}

template <class One, class Many>
Subject over_labels(const char* name, const One& one, const Many& many, const Counts& counts) {
  return {
      name, counts,
      [one](Shard& s) { one.forward_backward(s.x, s.labels, s.dx, {.workspace = &s.workspace}); },
      [many](const Sharding& where, Shard& s) {
        many.forward_backward(where, s.x, s.labels, s.dx, {.workspace = &s.workspace});
      }};
}

std::vector<Subject> subjects() {
  namespace sharded = nearfar::sharded;
  const double typical = std::sqrt(2.0 * static_cast<double>(cols));  // distance of normal rows
  const double margin = typical / 10;
  return {
      of_two_sets("InfoNCE", nearfar::InfoNce<float>({.temperature = temperature}),
                  sharded::InfoNce<float>({.temperature = temperature}), {6, 8, 8, 6, 3, 0, 0, 2}),
      of_two_sets("CLIP", nearfar::Clip<float>(), sharded::Clip<float>(),
                  {8, 8, 16, 12, 3, 0, 40, 4}),
      of_two_sets("SigLIP", nearfar::SigLip<float>(), sharded::SigLip<float>(),
                  {6, 6, 6, 6, 2, 0, 0, 2}),
      of_two_sets("NT-Xent", nearfar::NtXent<float>({.temperature = temperature}),
                  sharded::NtXent<float>({.temperature = temperature}),
                  {16, 16, 32, 24, 0, 6, 40, 4}),
      over_labels("SupCon", nearfar::SupCon<float>({.temperature = temperature}),
                  sharded::SupCon<float>({.temperature = temperature}), {4, 4, 8, 6, 0, 3, 88, 2}),
      over_labels("Hadsell, all pairs", nearfar::HadsellContrastive<float>({.margin = typical}),
                  sharded::HadsellContrastive<float>({.margin = typical}),
                  {3, 3, 6, 6, 0, 2, 16, 2}),
      over_labels("triplets, batch-hard", nearfar::MinedTriplet<float>({.margin = margin}),
                  sharded::MinedTriplet<float>({.margin = margin}), {1, 1, 2, 2, 2, 1, 24, 2}),
  };
}

/// Waits for all processes; those that wait sleep, so that they take no processor from the others.
void arrive_quietly() {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  for (int done = 0; done == 0;) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

/// Keeps the minimum of the milliseconds from the common start to the end of the last body().
template <class Body>
void time(double& least, const Body& body) {
  MPI_Barrier(MPI_COMM_WORLD);
  const double began = MPI_Wtime();
  body();
  double took = 1e3 * (MPI_Wtime() - began);
  MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  least = std::min(least, took);
}

/// The same on the first process alone.
template <class Body>
void time_alone(double& least, int rank, const Body& body) {
  arrive_quietly();
  if (rank == 0) {
    const double began = MPI_Wtime();
    body();
    least = std::min(least, 1e3 * (MPI_Wtime() - began));
  }
  arrive_quietly();
}

constexpr double long_ago = std::numeric_limits<double>::infinity();

/// Bytes that a process sends in a call, the mean of all.
double bytes_of(const Subject& subject, const Sharding& where, Communicator& world, Shard& shard) {
  const std::int64_t before = world.bytes_sent();
  subject.many(where, shard);
  auto sent = static_cast<double>(world.bytes_sent() - before);
  MPI_Allreduce(MPI_IN_PLACE, &sent, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return sent / world.size();
}

void strong(Communicator& world, Index n) {
  const int rank = world.rank();
  const int processes = world.size();
  const Index own = n / processes;
  Shard shard(own * rank, own, own * processes);
  Shard whole(0, rank == 0 ? own * processes : 0, own * processes);
  for (const Subject& subject : subjects()) {
    double alone = long_ago;
    double many[std::size(schedules)] = {long_ago, long_ago, long_ago};
    for (int t = 0; t < tries; ++t) {
      time_alone(alone, rank, [&] { subject.one(whole); });
      for (std::size_t k = 0; k < std::size(schedules); ++k) {
        time(many[k], [&] { subject.many({world, schedules[k].first}, shard); });
      }
    }
    for (std::size_t k = 0; k < std::size(schedules); ++k) {
      const auto& [schedule, name] = schedules[k];
      const double sent = bytes_of(subject, {world, schedule}, world, shard);
      if (rank > 0) continue;
      const Counts& counts = subject.counts;
      const double model = counts.bytes(schedule, processes, static_cast<double>(own));
      const double by_operations = processes * counts.one / counts.operations(schedule);
      std::printf("| %s | %td | %s | %.2f | %.2f | %.2f | %.2f | %.0f | ", subject.name.c_str(), n,
                  name, alone, many[k], alone / many[k], by_operations, sent / 1e3);
      // With `ordered` some send more than others.
      if (schedule == Schedule::ordered) {
        std::printf("|\n");
      } else {
        std::printf("%.0f |\n", model / 1e3);
      }
    }
    std::fflush(stdout);
  }
}

void weak(Communicator& world, Index n) {
  const int processes = world.size();
  Shard one(0, n, n);
  Shard shard(n * world.rank(), n, n * processes);
  for (const Subject& subject : subjects()) {
    for (const auto& [which, name] : schedules) {
      const Schedule schedule = which;  // clang 14 captures no structured bindings
      double alone = long_ago;
      double many = long_ago;
      nearfar::Alone nobody;
      for (int t = 0; t < tries; ++t) {
        time_alone(alone, world.rank(), [&] { subject.many({nobody, schedule}, one); });
        time(many, [&] { subject.many({world, schedule}, shard); });
      }
      if (world.rank() > 0) continue;
      const auto rows = static_cast<double>(n);
      const auto rate = [&](double ms, double p) {
        return subject.counts.operations(schedule) * p * rows * rows * cols / (1e6 * ms);
      };
      std::printf("| %s | %td | %s | %.2f | %.2f | %.1f | %.1f | %.2f |\n", subject.name.c_str(), n,
                  name, alone, many, rate(alone, 1), rate(many, processes),
                  rate(many, processes) / rate(alone, 1));
    }
    std::fflush(stdout);
  }
}

void run(const std::vector<Index>& sizes) {
  Communicator world(MPI_COMM_WORLD);
  const bool talks = world.rank() == 0;
  if (talks) {
    std::printf("%d processes of one thread, float, D = %td, forward and backward, %s.\n\n",
                world.size(), cols, nearfar::name_of(nearfar::active_instruction_set()));
    std::printf(
        "| loss | N in all | schedule | ms of one process | ms of %d | times as fast | "
        "by operations, no scores kept | kB sent by a process | model |\n"
        "|---|--:|---|--:|--:|--:|--:|--:|--:|\n",
        world.size());
  }
  for (const Index n : sizes) strong(world, n);
  if (talks) {
    std::printf(
        "\n| loss | N a process | schedule | ms of one process, N rows | ms of %d | GF/s | GF/s a "
        "process | kept |\n|---|--:|---|--:|--:|--:|--:|--:|\n",
        world.size());
  }
  for (const Index n : sizes) weak(world, n / 2);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  std::vector<Index> sizes;
  for (int k = 1; k < argc; ++k) sizes.push_back(std::atoll(argv[k]));
  if (sizes.empty()) sizes = {2048, 8192};
  if (*std::min_element(sizes.begin(), sizes.end()) < 64) {
    std::fprintf(stderr, "usage: mpirun -n PROCESSES bench_scaling [ROWS >= 64 ...]\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  run(sizes);
  MPI_Finalize();
}
