#include <cmath>
#include <iostream>
#include <nearfar/losses/nce.hpp>
#include <nearfar/memory/memory_bank.hpp>
#include <nearfar/sampling/noise_sampler.hpp>
#include <nearfar/scores/pairwise.hpp>

#include "common/adam.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"

/// \file
/// Instance discrimination (Wu et al., Unsupervised feature learning via non-parametric instance
/// discrimination, 2018): every image is a class of its own, whose weights are a row of a memory
/// bank. Noise-contrastive estimation replaces a softmax over all of them.

namespace {

using namespace example;

struct Options : SelfSupervisedOptions {
  std::size_t noise = 4096;
  double momentum = 0.5;
};

/// log of the partition function of the model, the number of images times the mean of exp(s / tau)
/// over some of them (section 3.2, eq. 8).
double estimated_log_z(const Pixels& queries, const Pixels& some, double temperature,
                       std::size_t images) {
  const nearfar::Matrix<float> scores = nearfar::pairwise(queries, some, nearfar::Cosine{});
  const Eigen::ArrayXXd logits = scores.cast<double>().array() / temperature;
  return std::log(static_cast<double>(images)) + std::log(logits.exp().mean());
}

/// Fills the bank with the encoder's first outputs: an epoch with random targets would make the
/// encoder worse than untrained.
void fill_bank(nearfar::MemoryBank<float>& bank, const Network<float>& encoder,
               const Images& images) {
  const ImageSet& set = images.data.train;
  const Pixels rows = represent(encoder, set.size(), [&](std::size_t row, float* to) {
    fill_image(set, row, images.scale, to);
  });
  const std::vector<std::size_t> every = spread(set, set.size());
  // Each update halves the rest of the random start, at a momentum of a half.
  for (int round = 0; round < 8; ++round) bank.update(every, rows);
}

void run(const Options& o) {
  use_threads(o.threads);
  const Images images = Images::read(o);
  const Judge judge(images, o.gallery);
  Random random(o.seed);
  Network<float> encoder = make_encoder(images, random);
  const Quality untrained = judge.encoded(encoder);

  const std::size_t count = images.training_size();
  nearfar::MemoryBank<float> bank(static_cast<Eigen::Index>(count), encoder.outputs(),
                                  {.momentum = o.momentum, .seed = o.seed});
  fill_bank(bank, encoder, images);
  const nearfar::NoiseSampler uniform(std::vector<double>(count, 1.0));
  std::vector<Eigen::Index> noise(o.noise);
  std::vector<float> log_noise_keys;
  std::vector<float> log_noise;
  Pixels keys;
  Pixels negatives;
  Pixels d_queries;
  double log_z = 0;
  nearfar::Workspace workspace(o.threads);
  Adam<float> adam(encoder.parameters().size());
  BatchPass pass(encoder);
  ShuffledBatches batches(count, o.batch);
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  std::vector<Step> history;
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), batches.batch_size());
  for (std::size_t step = 0; step < steps; ++step) {
    const auto which = batches.next(random);
    const Pixels& queries = pass.forward(which.size(), [&](std::size_t row, float* to) {
      images.fill_view(step, which[row], 0, to);
    });
    bank.gather(which, keys);
    uniform.draw(o.seed, step, noise);
    bank.gather(noise, negatives);
    uniform.log_probabilities(noise, log_noise);
    log_noise_keys.assign(which.size(), static_cast<float>(uniform.log_probability(0)));
    // The paper keeps the estimate of the first batch. Here the bank is random at that time, and an
    // encoder without batch normalisation fills it with rows of one direction: the estimate must
    // follow.
    const double estimate = estimated_log_z(queries, negatives, o.temperature, count);
    log_z += (estimate - log_z) * (step == 0 ? 1 : 0.1);
    const nearfar::Nce<float, nearfar::Cosine> loss({.temperature = o.temperature, .log_z = log_z});
    const auto result = loss.forward_backward(queries, keys, negatives, log_noise_keys, log_noise,
                                              d_queries, nearfar::no_gradient, nearfar::no_gradient,
                                              {.workspace = &workspace});
    bank.update(which, queries);

    const double rate = scheduled(o.learning_rate, step, steps);
    adam.step(encoder.parameters(), pass.backward(d_queries), rate);
    history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, result.value});
    progress.step(result.value);
  }
  progress.finish();

  write_quality(o, images,
                {{"raw pixels", judge.raw_pixels()},
                 {"untrained encoder", untrained},
                 {"instance discrimination", judge.encoded(encoder)},
                 {"supervised encoder", judge.supervised(o.epochs, o.learning_rate)}},
                judge.test_rows(encoder), history, "instance discrimination");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  // An image's key is an epoch old: with many short epochs keys are newer than with few long ones.
  options.images = 20000;
  options.epochs = 15;
  return run_program(
      argc, argv, "instdisc",
      "Trains an encoder of small images without labels by telling every image from all others, "
      "and measures what it learnt.",
      [&](CLI::App& app) {
        app.add_option("--noise", options.noise, "rows of the memory bank a batch is told from")
            ->check(CLI::Range(1, 1 << 24))
            ->capture_default_str();
        app.add_option("--momentum", options.momentum, "of the memory bank's rows")
            ->check(fraction())
            ->capture_default_str();
        declare_self_supervised(app, options);
      },
      [&] { run(options); });
}
