#include <torch/optim/adam.h>
#include <torch/version.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nearfar/adapters/torch_sharded.hpp>
#include <stdexcept>
#include <string>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"
#include "common/split_batches.hpp"
#include "common/torch_encoder.hpp"

/// \file
/// SimCLR (Chen et al., A simple framework for contrastive learning of visual representations,
/// 2020) with an encoder in LibTorch and its batch split over the processes of a job of torchrun:
///
///     torchrun --nproc_per_node=4 --no_python libtorch_processes
///
/// Processes meet in a process group of c10d. Views are compared with those of all processes, so
/// that the loss is that of one process with the whole batch.

namespace {

using namespace example;
using Group = c10::intrusive_ptr<c10d::ProcessGroup>;
using Store = c10::intrusive_ptr<c10d::Store>;

std::string environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

/// The place of this process in the job, as torchrun tells it; without torchrun it is alone.
struct Place {
  int rank = std::stoi(environment("RANK", "0"));
  int processes = std::stoi(environment("WORLD_SIZE", "1"));

  /// Where processes of the job leave notes for each other. torchrun may serve it itself.
  Store meet() const {
    const bool served = environment("TORCHELASTIC_USE_AGENT_STORE", "False") == "True";
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(std::stoi(environment("MASTER_PORT", "29500")));
    options.isServer = rank == 0 && !served;
    options.numWorkers = static_cast<std::size_t>(processes);
    options.waitWorkers = !served;
    return c10::make_intrusive<c10d::TCPStore>(environment("MASTER_ADDR", "127.0.0.1"), options);
  }
};

/// A group of the first `processes` processes of the job, on the processors of one machine. Each
/// group has a name of its own.
Group group_of(const Store& job, const std::string& name, const Place& place, int processes) {
  const auto store = c10::make_intrusive<c10d::PrefixStore>(name, job);
  const auto options = c10d::ProcessGroupGloo::Options::create();
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  const auto gloo =
      c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, processes, options);
#if TORCH_VERSION_MAJOR >= 2
  const auto group = c10::make_intrusive<c10d::ProcessGroup>(store, place.rank, processes);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return group;
#else
  return gloo;
#endif
}

/// Sums the gradients of parameters over processes: each has those of its own images, and all of
/// them are of the one loss.
void sum_over_processes(const Group& group, const std::vector<Tensor>& parameters) {
  for (const Tensor& parameter : parameters) {
    std::vector<Tensor> gradient = {parameter.grad()};
    group->allreduce(gradient)->wait();
  }
}

SplitTraining train(const SelfSupervisedOptions& o, const Images& images, const Group& group,
                    TorchEncoder& encoder) {
  nearfar::libtorch::ProcessGroupExchange world(group);
  torch::optim::Adam adam(encoder.parameters(), torch::optim::AdamOptions(o.learning_rate));
  Random random(o.seed);
  ShuffledBatches batches(images.training_size(), o.batch);
  const Share own(batches.batch_size(), world.rank(), world.size());
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  Pixels views(static_cast<Eigen::Index>(2 * own.size),
               static_cast<Eigen::Index>(images.data.train.image_size()));
  SplitTraining out{.processes = world.size(), .seconds = 0, .history = {}};
  const auto began = std::chrono::steady_clock::now();
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), batches.batch_size());
  for (std::size_t step = 0; step < steps; ++step) {
    // All processes draw the same batch; each makes the views of its own images, first views above,
    // second views below.
    const auto which = batches.next(random).subspan(own.first, own.size);
    parallel_for(views.rows(), [&](Eigen::Index row) {
      const auto at = static_cast<std::size_t>(row);
      images.fill_view(step, which[at % own.size], at / own.size, views.row(row).data());
    });
    adam.zero_grad();
    const Tensor z = encoder.embed(torch::from_blob(views.data(), {views.rows(), views.cols()}));
    const std::vector<Tensor> halves = z.chunk(2);
    const Tensor loss = nearfar::libtorch::sharded::nt_xent(world, halves[0], halves[1],
                                                            {.temperature = o.temperature});
    loss.backward();
    sum_over_processes(group, encoder.parameters());
    const double rate = scheduled(o.learning_rate, step, steps);
    static_cast<torch::optim::AdamOptions&>(adam.param_groups()[0].options()).lr(rate);
    adam.step();
    const double value = loss.item<double>();
    out.history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, value});
    progress.step(value);
  }
  progress.finish();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return out;
}

/// Trains with 1, 2, 4, ... of the processes, one number after the other, each from the same
/// encoder.
void run(const SelfSupervisedOptions& o) {
  const Place place;
  // The first process prints; errors are printed by the processes that find them.
  if (place.rank > 0 && std::freopen("/dev/null", "w", stdout) == nullptr) {
    throw std::runtime_error("no /dev/null");
  }
  use_threads(o.threads);
  torch::set_num_threads(o.threads);
  const Images images = Images::read(o);
  const Store job = place.meet();
  const Group all = group_of(job, "all", place, place.processes);
  std::vector<SplitTraining> trainings;
  for (const int number : numbers_of_processes(place.processes)) {
    if (place.rank < number) {
      torch::manual_seed(o.seed);
      TorchEncoder encoder(images.data.train);
      const Group group = group_of(job, name_of_processes(number), place, number);
      trainings.push_back(train(o, images, group, encoder));
    }
    all->barrier()->wait();
  }
  if (place.rank == 0) {
    write_curves(o.out, trainings, images.data.name + ", SimCLR over process groups of LibTorch");
  }
}

}  // namespace

int main(int argc, char** argv) {
  SelfSupervisedOptions options;
  options.epochs = 1;
  options.images = 20000;
  return run_program(
      argc, argv, "libtorch_processes",
      "Trains an encoder in LibTorch without labels by SimCLR, the batch split over 1, 2, 4, ... "
      "of "
      "torchrun's processes, and draws their losses.",
      [&](CLI::App& app) { declare_self_supervised(app, options); }, [&] { run(options); });
}
