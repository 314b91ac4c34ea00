#include <iostream>
#include <nearfar/losses/nt_xent.hpp>

#include "common/adam.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"

/// \file
/// SimCLR (Chen et al., A simple framework for contrastive learning of visual representations,
/// 2020): cross entropy of the two random views of each image of a batch among all other views.

namespace {

using namespace example;

void run(const SelfSupervisedOptions& o) {
  use_threads(o.threads);
  const Images images = Images::read(o);
  const Judge judge(images, o.gallery);
  Random random(o.seed);
  Network<float> encoder = make_encoder(images, random);
  const Quality untrained = judge.encoded(encoder);

  const nearfar::NtXent<float> loss({.temperature = o.temperature});
  nearfar::Workspace workspace(o.threads);
  Adam<float> adam(encoder.parameters().size());
  BatchPass pass(encoder);
  ShuffledBatches batches(images.training_size(), o.batch);
  const std::size_t pairs = batches.batch_size();
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  std::vector<Step> history;
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), pairs);
  for (std::size_t step = 0; step < steps; ++step) {
    const auto which = batches.next(random);
    // First views above, second views below.
    const Pixels& z = pass.forward(2 * pairs, [&](std::size_t row, float* to) {
      images.fill_view(step, which[row % pairs], row / pairs, to);
    });
    Pixels dz(z.rows(), z.cols());
    const auto half = static_cast<Eigen::Index>(pairs);
    const auto result = loss.forward_backward(z.topRows(half), z.bottomRows(half), dz.topRows(half),
                                              dz.bottomRows(half), {.workspace = &workspace});

    const double rate = scheduled(o.learning_rate, step, steps);
    adam.step(encoder.parameters(), pass.backward(dz), rate);
    history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, result.value});
    progress.step(result.value);
  }
  progress.finish();

  write_quality(o, images,
                {{"raw pixels", judge.raw_pixels()},
                 {"untrained encoder", untrained},
                 {"SimCLR, no labels", judge.encoded(encoder)},
                 {"supervised encoder", judge.supervised(o.epochs, o.learning_rate)}},
                judge.test_rows(encoder), history, "SimCLR");
}

}  // namespace

int main(int argc, char** argv) {
  SelfSupervisedOptions options;
  return run_program(
      argc, argv, "simclr",
      "Trains an encoder of small images without labels by SimCLR and measures what it learnt.",
      [&](CLI::App& app) { declare_self_supervised(app, options); }, [&] { run(options); });
}
