#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/momentum.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/adam.hpp"
#include "common/chart.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
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
  std::vector<Eigen::Index> queues = {0, 1024, 4096, 16384};
  double momentum = 0.99;
  int seeds = 3;
};

struct Trained {
  Network<float> encoder;
  std::vector<Step> history;
};

/// Trains with `capacity` keys in the queue; with 0, the other keys of the batch are the negatives.
Trained train(const Options& o, const Images& images, Eigen::Index capacity) {
  Random random(images.seed);
  Network<float> encoder = make_encoder(images, random);
  Network<float> follower = encoder;
  const nearfar::InfoNce<float> loss({.temperature = o.temperature});
  nearfar::Workspace workspace(o.threads);
  nearfar::KeyQueue<float> queue(std::max<Eigen::Index>(capacity, 1), encoder.outputs());
  Adam<float> adam(encoder.parameters().size());
  const Eigen::Index shard_rows = 16;  // batches are small
  BatchPass query_pass(encoder, shard_rows);
  BatchPass key_pass(follower, shard_rows);
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

/// Qualities of the same thing with several seeds.
class Seeds {
 public:
  void add(const Quality& quality) { all_.push_back(quality); }

  Quality mean() const {
    Quality sum;
    for (const Quality& q : all_) sum = {sum.knn + q.knn, sum.probe + q.probe};
    return {sum.knn / count(), sum.probe / count()};
  }
  /// The standard deviation of a single seed's; 0 when there is but one.
  Quality deviation() const {
    const Quality middle = mean();
    Quality sum;
    for (const Quality& q : all_) {
      sum.knn += (q.knn - middle.knn) * (q.knn - middle.knn);
      sum.probe += (q.probe - middle.probe) * (q.probe - middle.probe);
    }
    const double others = std::max(count() - 1, 1.0);
    return {std::sqrt(sum.knn / others), std::sqrt(sum.probe / others)};
  }

 private:
  double count() const { return static_cast<double>(all_.size()); }

  std::vector<Quality> all_;
};

std::string queue_name(Eigen::Index capacity) {
  return capacity > 0 ? "MoCo, queue of " + std::to_string(capacity) : "MoCo, queue off";
}

/// How accuracy goes with the number of negatives, bars of one standard deviation.
void write_queues(const Options& o, const Images& images, const Seeds& untrained,
                  const std::vector<Seeds>& trained) {
  const std::filesystem::path folder = o.out;
  OutputFile table(folder / "queues.csv");
  table.stream() << "negatives,untrained_probe,knn,knn_deviation,probe,probe_deviation\n";
  std::printf("\n%-28s %9s  %9s  %12s  %9s\n", "standard deviation of a seed", "20-NN", "",
              "linear probe", "");
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const Eigen::Index capacity = o.queues[i];
    // Without a queue, a query's negatives are the other keys of its batch.
    const auto negatives = capacity > 0
                               ? static_cast<std::size_t>(capacity)
                               : ShuffledBatches(images.training_size(), o.batch).batch_size() - 1;
    const Quality mean = trained[i].mean();
    const Quality deviation = trained[i].deviation();
    char line[128];
    std::printf("%-28s %9.4f  +- %6.4f  %12.4f  +- %6.4f\n", queue_name(capacity).c_str(), mean.knn,
                deviation.knn, mean.probe, deviation.probe);
    std::snprintf(line, sizeof line, "%zu,%.4f,%.4f,%.4f,%.4f,%.4f\n", negatives,
                  untrained.mean().probe, mean.knn, deviation.knn, mean.probe, deviation.probe);
    table.stream() << line;
  }
  table.commit();
  write_lines(folder, {.name = "queues",
                       .title = images.data.name + ", MoCo: accuracy and the length of the queue",
                       .subtitle = "accuracy on held-out images, mean and standard deviation of " +
                                   std::to_string(o.seeds) + " seeds; " + std::to_string(o.batch) +
                                   " images a step",
                       .x_label = "negatives of a query (the first: the batch alone)",
                       .log_x = true,
                       .lines = {{2, "untrained, linear probe"},
                                 {3, "MoCo, 20-NN", 4},
                                 {5, "MoCo, linear probe", 6}}});
  draw_all(folder, {"queues"}, {"queues.csv"});
}

void run(const Options& o) {
  use_threads(o.threads);
  Images images = Images::read(o);
  const Judge judge(images, o.gallery);
  Seeds untrained;
  std::vector<Seeds> trained(o.queues.size());
  std::optional<Trained> first;
  for (int s = 0; s < o.seeds; ++s) {
    images.seed = o.seed + static_cast<std::uint64_t>(s);
    Random random(images.seed);
    untrained.add(judge.encoded(make_encoder(images, random)));
    for (std::size_t i = 0; i < o.queues.size(); ++i) {
      std::printf("\n%s, seed %llu\n", queue_name(o.queues[i]).c_str(),
                  static_cast<unsigned long long>(images.seed));
      std::fflush(stdout);
      Trained moco = train(o, images, o.queues[i]);
      trained[i].add(judge.encoded(moco.encoder));
      if (s == 0 && i + 1 == o.queues.size()) first.emplace(std::move(moco));
    }
  }
  images.seed = o.seed;
  std::vector<Judged> table = {{"raw pixels", judge.raw_pixels()},
                               {"untrained encoder", untrained.mean()}};
  for (std::size_t i = 0; i < trained.size(); ++i) {
    table.push_back({queue_name(o.queues[i]), trained[i].mean()});
  }
  table.push_back({"supervised encoder", judge.supervised(o.epochs, o.learning_rate)});
  write_quality(o, images, table, judge.test_rows(first->encoder), first->history, "MoCo");
  write_queues(o, images, untrained, trained);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  // Thirteen encoders are trained and judged.
  options.images = 40000;
  options.gallery = 10000;
  options.epochs = 1;
  // So many negatives is all that a machine with little memory has without a queue.
  options.batch = 32;
  options.temperature = 0.07;
  return run_program(
      argc, argv, "moco",
      "Trains encoders of small images without labels by momentum contrast, with queues of several "
      "lengths, and measures what they learnt.",
      [&](CLI::App& app) {
        app.add_option("--queues", options.queues,
                       "lengths of the queue, one training each; 0: the other keys of the batch "
                       "are the negatives")
            ->delimiter(',')
            ->check(CLI::Range(0, 1 << 24))
            ->capture_default_str();
        app.add_option("--momentum", options.momentum,
                       "of the keys' encoder at the start; it rises to 1 as a cosine")
            ->check(fraction())
            ->capture_default_str();
        app.add_option("--seeds", options.seeds, "trainings of each, with --seed, --seed + 1 ..")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        declare_self_supervised(app, options);
      },
      [&] { run(options); });
}
