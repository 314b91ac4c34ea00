#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <nearfar/adapters/mpi.hpp>
#include <nearfar/sharded/nt_xent.hpp>
#include <thread>

#include "common/adam.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"
#include "common/split_batches.hpp"

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
  bool curves = false;
};

/// Processes that train together. The library has a copy of their communicator.
struct Processes {
  explicit Processes(MPI_Comm all) : comm(all), world(all) {}

  MPI_Comm comm;
  Communicator world;
};

void sum_over_processes(Network<float>::Vector& gradient, const Processes& processes) {
  MPI_Allreduce(MPI_IN_PLACE, gradient.data(), static_cast<int>(gradient.size()), MPI_FLOAT,
                MPI_SUM, processes.comm);
}

/// An encoder that is the same on all processes: different processors may round differently.
Network<float> make_shared_encoder(const Images& images, Random& random,
                                   const Processes& processes) {
  Network<float> encoder = make_encoder(images, random);
  MPI_Bcast(encoder.parameters().data(), static_cast<int>(encoder.parameters().size()), MPI_FLOAT,
            0, processes.comm);
  return encoder;
}

SplitTraining train(const Options& o, const Images& images, Processes& processes,
                    Network<float>& encoder, Random& random) {
  Communicator& world = processes.world;
  const nearfar::sharded::NtXent<float> loss({.temperature = o.temperature});
  nearfar::Workspace workspace(o.threads);
  Adam<float> adam(encoder.parameters().size());
  BatchPass pass(encoder);
  ShuffledBatches batches(images.training_size(), o.batch);
  const Share own(batches.batch_size(), world.rank(), world.size());
  const auto half = static_cast<Eigen::Index>(own.size);
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  SplitTraining out{.processes = world.size(), .seconds = 0, .history = {}};
  const double began = MPI_Wtime();
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
    sum_over_processes(gradient, processes);
    const double rate = scheduled(o.learning_rate, step, steps);
    adam.step(encoder.parameters(), gradient, rate);
    out.history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, result.value});
    progress.step(result.value);
  }
  progress.finish();
  out.seconds = MPI_Wtime() - began;
  return out;
}

/// Returns when all processes have called it, and leaves the processor to others until then.
void wait_for_all() {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  for (int all_here = 0; all_here == 0;) {
    MPI_Test(&request, &all_here, MPI_STATUS_IGNORE);
    if (all_here == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// Trains with 1, 2, 4, ... of the processes, one number after the other.
void compare_numbers(const Options& o, const Images& images, const Communicator& world) {
  std::vector<SplitTraining> trainings;
  for (const int number : numbers_of_processes(world.size())) {
    const bool takes_part = world.rank() < number;
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Comm_split(MPI_COMM_WORLD, takes_part ? 0 : MPI_UNDEFINED, world.rank(), &comm);
    if (takes_part) {
      Processes processes(comm);
      Random random(o.seed);
      Network<float> encoder = make_shared_encoder(images, random, processes);
      trainings.push_back(train(o, images, processes, encoder, random));
      MPI_Comm_free(&comm);
    }
    wait_for_all();
  }
  if (world.rank() == 0) {
    write_curves(o.out, trainings, images.data.name + ", SimCLR over MPI");
  }
}

/// Trains with all processes, and measures what the encoder learnt.
void train_and_judge(const Options& o, const Images& images, Processes& processes) {
  const Judge judge(images, o.gallery);
  Random random(o.seed);
  Network<float> encoder = make_shared_encoder(images, random, processes);
  const Network<float> untrained = encoder;
  const SplitTraining training = train(o, images, processes, encoder, random);
  if (processes.world.rank() > 0) return;

  const auto steps = static_cast<double>(std::max<std::size_t>(training.history.size(), 1));
  std::printf("\n%-28s %9d\n", "processes", training.processes);
  std::printf("%-28s %9.1f\n", "ms a step", 1e3 * training.seconds / steps);
  std::printf("%-28s %9.1f\n", "kB sent a step by the loss",
              static_cast<double>(processes.world.bytes_sent()) / 1e3 / steps);
  write_quality(o, images,
                {{"raw pixels", judge.raw_pixels()},
                 {"untrained encoder", judge.encoded(untrained)},
                 {"SimCLR, no labels", judge.encoded(encoder)}},
                judge.test_rows(encoder), training.history,
                "SimCLR of " + name_of_processes(training.processes));
}

void run(const Options& o, Processes& processes) {
  use_threads(o.threads);
  const Images images = Images::read(o);
  if (o.curves) {
    compare_numbers(o, images, processes.world);
  } else {
    train_and_judge(o, images, processes);
  }
}

int run_process(int argc, char** argv) {
  Processes processes(MPI_COMM_WORLD);
  // The first process prints; errors are printed by the processes that find them.
  if (processes.world.rank() > 0 && std::freopen("/dev/null", "w", stdout) == nullptr) return 1;
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
        app.add_flag("--curves", options.curves,
                     "trains with 1, 2, 4, ... of the processes in turn and draws their losses");
        declare_self_supervised(app, options);
      },
      [&] { run(options, processes); });
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
