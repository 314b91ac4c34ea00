#include <sys/resource.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/functional/normalization.h>
#include <torch/optim/adam.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>
#include <nearfar/adapters/torch.hpp>

#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"
#include "common/torch_encoder.hpp"

/// \file
/// SimCLR (Chen et al., A simple framework for contrastive learning of visual representations,
/// 2020) with an encoder in LibTorch, trained with nearfar's NT-Xent or with the same loss in
/// LibTorch's own operations, for a comparison.

namespace {

using namespace example;
using torch::Tensor;
namespace nn = torch::nn;

struct Options : SelfSupervisedOptions {
  std::string loss = "nearfar";
  std::size_t steps = 0;  ///< largest number; 0: all of the epochs
};

/// NT-Xent in LibTorch's operations: all scores at once.
Tensor nt_xent_of_libtorch(const Tensor& views, double temperature) {
  const auto n = views.size(0) / 2;
  const Tensor z = nn::functional::normalize(views, nn::functional::NormalizeFuncOptions().dim(1));
  const Tensor self = torch::eye(2 * n, torch::kBool);
  const Tensor logits =
      (z.mm(z.t()) / temperature).masked_fill(self, -std::numeric_limits<double>::infinity());
  const Tensor own = torch::arange(n);
  return nn::functional::cross_entropy(logits, torch::cat({own + n, own}));
}

/// First views above, second views below.
Tensor loss_of(const Options& o, const Tensor& views) {
  if (o.loss == "libtorch") return nt_xent_of_libtorch(views, o.temperature);
  const std::vector<Tensor> halves = views.chunk(2);  // views of the same memory
  return nearfar::libtorch::nt_xent(halves[0], halves[1], {.temperature = o.temperature});
}

/// Seconds of each step.
class Stopwatch {
 public:
  void next_step() { steps_.push_back(0); }
  void start() { began_ = Clock::now(); }
  void stop() { steps_.back() += std::chrono::duration<double>(Clock::now() - began_).count(); }
  /// Other work on the machine changes it less than a mean.
  double median() const {
    std::vector<double> sorted = steps_;
    std::nth_element(sorted.begin(), sorted.begin() + middle(), sorted.end());
    return sorted[steps_.size() / 2];
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::ptrdiff_t middle() const { return static_cast<std::ptrdiff_t>(steps_.size() / 2); }

  Clock::time_point began_;
  std::vector<double> steps_;
};

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // kilobytes on Linux
}

/// The quality of an encoder.
Quality quality_of(TorchEncoder& encoder, const Images& images, const Judge& judge) {
  const ImageSet& test = images.data.test;
  return judge.judge(represent(encoder, images.data.train, images.scale, judge.gallery()),
                     represent(encoder, test, images.scale, spread(test, test.size())));
}

void run(const Options& o) {
  use_threads(o.threads);
  torch::set_num_threads(o.threads);
  const Images images = Images::read(o);
  const ImageSet& train = images.data.train;
  const auto make_seeded = [&] {
    torch::manual_seed(o.seed);
    return TorchEncoder(train);
  };
  TorchEncoder encoder = make_seeded();
  torch::optim::Adam adam(encoder.parameters(), torch::optim::AdamOptions(o.learning_rate));
  Random random(o.seed);
  ShuffledBatches batches(images.training_size(), o.batch);
  const std::size_t pairs = batches.batch_size();
  std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  if (o.steps > 0) steps = std::min(steps, o.steps);

  const double megabytes_before = peak_megabytes();
  std::vector<Step> history;
  Stopwatch in_step;
  Stopwatch in_loss;
  Pixels views(static_cast<Eigen::Index>(2 * pairs), static_cast<Eigen::Index>(train.image_size()));
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), pairs);
  for (std::size_t step = 0; step < steps; ++step) {
    const auto which = batches.next(random);
    parallel_for(views.rows(), [&](Eigen::Index row) {
      const auto at = static_cast<std::size_t>(row);
      images.fill_view(step, which[at % pairs], at / pairs, views.row(row).data());
    });

    in_step.next_step();
    in_loss.next_step();
    in_step.start();
    adam.zero_grad();
    const Tensor z = encoder.embed(torch::from_blob(views.data(), {views.rows(), views.cols()}));
    in_loss.start();
    const Tensor loss = loss_of(o, z);
    in_loss.stop();
    // The loss's part of backward ends with the gradient of its input.
    z.register_hook([&](const Tensor&) { in_loss.stop(); });
    in_loss.start();
    loss.backward();
    const double rate = scheduled(o.learning_rate, step, steps);
    static_cast<torch::optim::AdamOptions&>(adam.param_groups()[0].options()).lr(rate);
    adam.step();
    in_step.stop();

    const double value = loss.item<double>();
    history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, value});
    progress.step(value);
  }
  progress.finish();
  const double megabytes = peak_megabytes();

  const Judge judge(images, o.gallery);
  TorchEncoder untrained = make_seeded();
  const ImageSet& test = images.data.test;
  write_quality(o, images,
                {{"raw pixels", judge.raw_pixels()},
                 {"untrained encoder", quality_of(untrained, images, judge)},
                 {"SimCLR, loss of " + o.loss, quality_of(encoder, images, judge)}},
                represent(encoder, test, images.scale, spread(test, test.size())), history,
                "SimCLR in LibTorch");
  std::printf("\n%zu steps of 2 x %zu views\n", steps, pairs);
  std::printf("%-28s %9.2f\n", "ms a step, views made", 1000 * in_step.median());
  std::printf("%-28s %9.2f\n", "ms of them in the loss", 1000 * in_loss.median());
  std::printf("%-28s %9.0f\n", "peak MB in training", megabytes);
  std::printf("%-28s %9.0f\n", "peak MB before", megabytes_before);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 2;
  return run_program(
      argc, argv, "libtorch_simclr",
      "Trains an encoder in LibTorch without labels by SimCLR, with nearfar's loss or LibTorch's.",
      [&](CLI::App& app) {
        declare_self_supervised(app, options);
        app.add_option("--loss", options.loss, "whose NT-Xent")
            ->check(CLI::IsMember({"nearfar", "libtorch"}))
            ->capture_default_str();
        app.add_option("--steps", options.steps, "ends after as many; 0: after all epochs")
            ->check(digits_only())
            ->capture_default_str();
      },
      [&] { run(options); });
}
