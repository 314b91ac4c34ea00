#include <algorithm>
#include <iostream>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/momentum.hpp>
#include <utility>

#include "common/adam.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"

/// \file
/// MoCo (He et al., Momentum contrast for unsupervised visual representation learning, 2020): a
/// view of an image is to be told from a queue of keys of earlier batches, made by an encoder that
/// follows the trained one slowly.

namespace {

using namespace example;

struct Options : SelfSupervisedOptions {
  Eigen::Index queue = 16384;
  double momentum = 0.99;
  bool compare = true;
};

struct Trained {
  Network<float> encoder;
  std::vector<Step> history;
};

/// Trains with `capacity` keys in the queue; with 0, the other keys of the batch are the negatives.
Trained train(const Options& o, const Images& images, Eigen::Index capacity) {
  Random random(o.seed);
  Network<float> encoder = make_encoder(images, random);
  Network<float> follower = encoder;
  const nearfar::InfoNce<float> loss({.temperature = o.temperature});
  nearfar::Workspace workspace(o.threads);
  nearfar::KeyQueue<float> queue(std::max<Eigen::Index>(capacity, 1), encoder.outputs());
  Adam<float> adam(encoder.parameters().size());
  BatchPass query_pass(encoder);
  BatchPass key_pass(follower);
  ShuffledBatches batches(images.training_size(), o.batch);
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  std::vector<Step> history;
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), batches.batch_size());
  for (std::size_t step = 0; step < steps; ++step) {
    const auto which = batches.next(random);
    const auto views = [&](std::size_t view) -> FillRow {
      return [&images, which, step, view](std::size_t row, float* to) {
        images.fill_view(step, which[row], view, to);
      };
    };
    const Pixels& queries = query_pass.forward(which.size(), views(0));
    const Pixels& keys = key_pass.forward(which.size(), views(1));
    Pixels d_queries;
    const nearfar::CallOptions<float> call{.workspace = &workspace};
    // An old key of the same image is no negative: images are ids.
    const auto result =
        capacity > 0 ? loss.forward_backward(queries, keys, queue.negatives(which), d_queries,
                                             nearfar::no_gradient, nearfar::no_gradient, call)
                     : loss.forward_backward(queries, keys, d_queries, nearfar::no_gradient, call);
    if (capacity > 0) queue.push(keys, which);

    const double rate = scheduled(o.learning_rate, step, steps);
    adam.step(encoder.parameters(), query_pass.backward(d_queries), rate);
    nearfar::momentum_update(follower.parameters(), encoder.parameters(),
                             nearfar::cosine_momentum(o.momentum, static_cast<Eigen::Index>(step),
                                                      static_cast<Eigen::Index>(steps)),
                             o.threads);
    history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, result.value});
    progress.step(result.value);
  }
  progress.finish();
  return {std::move(encoder), std::move(history)};
}

void run(const Options& o) {
  use_threads(o.threads);
  const Images images = Images::read(o);
  const Judge judge(images);
  std::vector<Judged> table = {{"raw pixels", judge.raw_pixels()}};
  Random random(o.seed);
  table.push_back({"untrained encoder", judge.encoded(make_encoder(images, random))});
  if (o.compare) {
    table.push_back({"MoCo, queue off", judge.encoded(train(o, images, 0).encoder)});
  }
  const Trained moco = train(o, images, o.queue);
  table.push_back({"MoCo, queue of " + std::to_string(o.queue), judge.encoded(moco.encoder)});
  table.push_back({"supervised encoder", judge.supervised(o.epochs, o.learning_rate)});
  write_quality(o, images, table, judge.test_rows(moco.encoder), moco.history, "MoCo");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 2;
  return run_program(
      argc, argv, "moco",
      "Trains an encoder of small images without labels by momentum contrast and measures what it "
      "learnt, with the queue and without.",
      [&](CLI::App& app) {
        app.add_option("--queue", options.queue, "keys of earlier batches to be told from")
            ->check(CLI::Range(1, 1 << 24))
            ->capture_default_str();
        app.add_option("--momentum", options.momentum,
                       "of the keys' encoder at the start; it rises to 1 as a cosine")
            ->check(fraction())
            ->capture_default_str();
        app.add_flag("--compare,!--no-compare", options.compare,
                     "also train without the queue (the default)");
        declare_self_supervised(app, options);
      },
      [&] { run(options); });
}
