#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <nearfar/adapters/mpi.hpp>
#include <nearfar/sharded/nt_xent.hpp>

#include "common/adam.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"

/// \file
/// SimCLR (Chen et al., A simple framework for contrastive learning of visual representations,
/// 2020) with its batch split over the processes of an MPI program, each with a copy of the
/// encoder: mpirun -n 4 mpi_simclr. Views are compared with those of all processes, so that the
/// loss is that of one process with the whole batch.

namespace {

using namespace example;
using nearfar::Schedule;
using nearfar::mpi::Communicator;

struct Options : SelfSupervisedOptions {
  Schedule schedule = Schedule::ring;
};

/// The part of this process in `count` items.
struct Share {
  Share(std::size_t count, const Communicator& world)
      : first(begin(count, world.rank(), world)),
        size(begin(count, world.rank() + 1, world) - first) {}

  std::size_t first;
  std::size_t size;

 private:
  static std::size_t begin(std::size_t count, int rank, const Communicator& world) {
    return count * static_cast<std::size_t>(rank) / static_cast<std::size_t>(world.size());
  }
};

void sum_over_processes(Network<float>::Vector& gradient) {
  MPI_Allreduce(MPI_IN_PLACE, gradient.data(), static_cast<int>(gradient.size()), MPI_FLOAT,
                MPI_SUM, MPI_COMM_WORLD);
}

std::vector<Step> train(const Options& o, const Images& images, Communicator& world,
                        Network<float>& encoder, Random& random) {
  const nearfar::sharded::NtXent<float> loss({.temperature = o.temperature});
  nearfar::Workspace workspace(o.threads);
  Adam<float> adam(encoder.parameters().size());
  BatchPass pass(encoder);
  ShuffledBatches batches(images.training_size(), o.batch);
  const Share own(batches.batch_size(), world);
  const auto half = static_cast<Eigen::Index>(own.size);
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  std::vector<Step> history;
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), batches.batch_size());
  for (std::size_t step = 0; step < steps; ++step) {
    // All processes draw the same batch; each makes the views of its own images, first views above,
    // second views below.
    const auto which = batches.next(random).subspan(own.first, own.size);
    const Pixels& z = pass.forward(2 * own.size, [&](std::size_t row, float* to) {
      images.fill_view(step, which[row % own.size], row / own.size, to);
    });
    Pixels dz(z.rows(), z.cols());
    const auto result =
        loss.forward_backward({world, o.schedule}, z.topRows(half), z.bottomRows(half),
                              dz.topRows(half), dz.bottomRows(half), {.workspace = &workspace});

    // Gradients of rows are those of the one global loss: the parameters' gradients are summed.
    Network<float>::Vector gradient = pass.backward(dz);
    sum_over_processes(gradient);
    const double rate = scheduled(o.learning_rate, step, steps);
    adam.step(encoder.parameters(), gradient, rate);
    history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, result.value});
    progress.step(result.value);
  }
  progress.finish();
  return history;
}

void run(const Options& o, Communicator& world) {
  use_threads(o.threads);
  const Images images = Images::read(o);
  const Judge judge(images);
  Random random(o.seed);
  Network<float> encoder = make_encoder(images, random);
  // Different processors may round differently.
  MPI_Bcast(encoder.parameters().data(), static_cast<int>(encoder.parameters().size()), MPI_FLOAT,
            0, MPI_COMM_WORLD);
  const Network<float> untrained = encoder;

  const double began = MPI_Wtime();
  const std::vector<Step> history = train(o, images, world, encoder, random);
  const double seconds = MPI_Wtime() - began;
  if (world.rank() > 0) return;

  const auto steps = static_cast<double>(std::max<std::size_t>(history.size(), 1));
  std::printf("\n%-28s %9d\n", "processes", world.size());
  std::printf("%-28s %9.1f\n", "ms a step", 1e3 * seconds / steps);
  std::printf("%-28s %9.1f\n", "kB sent a step by the loss",
              static_cast<double>(world.bytes_sent()) / 1e3 / steps);
  write_quality(
      o, images,
      {{"raw pixels", judge.raw_pixels()},
       {"untrained encoder", judge.encoded(untrained)},
       {"SimCLR, no labels", judge.encoded(encoder)}},
      judge.test_rows(encoder), history,
      "SimCLR of " + std::to_string(world.size()) + (world.size() > 1 ? " processes" : " process"));
}

int run_process(int argc, char** argv) {
  Communicator world(MPI_COMM_WORLD);
  // The first process prints; errors are printed by the processes that find them.
  if (world.rank() > 0 && std::freopen("/dev/null", "w", stdout) == nullptr) return 1;
  Options options;
  const std::map<std::string, Schedule> schedules = {{"ring", Schedule::ring},
                                                     {"ordered", Schedule::ordered},
                                                     {"all_gather", Schedule::all_gather}};
  return run_program(
      argc, argv, "mpi_simclr",
      "Trains an encoder of small images without labels by SimCLR, the batch split over all "
      "processes of mpirun, and measures what it learnt.",
      [&](CLI::App& app) {
        app.add_option("--schedule", options.schedule, "how rows of processes meet")
            ->transform(CLI::CheckedTransformer(schedules))
            ->option_text("ring, ordered or all_gather [ring]");
        declare_self_supervised(app, options);
      },
      [&] { run(options, world); });
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int code = run_process(argc, argv);
  // Other processes may wait for one that has failed alone.
  if (code != 0) MPI_Abort(MPI_COMM_WORLD, code);
  MPI_Finalize();
  return code;
}
