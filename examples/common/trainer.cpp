#include "common/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/adam.hpp"
#include "common/batches.hpp"
#include "common/parallel.hpp"

namespace example {
namespace {

using Eigen::Index;

/// Rows that one thread takes through the encoder at a time. Fixed, so that sums over a batch are
/// split in the same way whatever the number of threads.
constexpr std::size_t shard_rows = 64;

/// A part of a batch on its way through the encoder.
struct Shard {
  std::size_t begin = 0;
  std::size_t size = 0;
  Pixels images;
  Network<float>::Tape tape;
  Network<float>::Vector gradient;
};

std::vector<Shard> split(std::size_t rows) {
  std::vector<Shard> shards;
  for (std::size_t begin = 0; begin < rows; begin += shard_rows) {
    Shard& shard = shards.emplace_back();
    shard.begin = begin;
    shard.size = std::min(shard_rows, rows - begin);
  }
  return shards;
}

/// Up in a straight line over the first steps, down along half a cosine to almost nothing.
double scheduled(double highest, std::size_t step, std::size_t steps) {
  const double warm_up = std::min(200.0, 0.1 * static_cast<double>(steps));
  const double at = static_cast<double>(step);
  if (at < warm_up) return highest * (at + 1) / (warm_up + 1);
  const double progress = (at - warm_up) / (static_cast<double>(steps) - warm_up);
  return highest * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace

std::vector<Step> train(Network<float>& encoder, const ImageSet& images, const PixelScale& scale,
                        const LossFunction& loss, const TrainOptions& options, Random& random,
                        Progress& progress) {
  const PairedBatches sampler(images.labels, options.batch);
  const std::size_t rows = sampler.batch_size();
  const std::size_t steps = sampler.batches_per_epoch() * static_cast<std::size_t>(options.epochs);
  std::vector<Shard> shards = split(rows);
  const auto shard_count = static_cast<Index>(shards.size());

  Adam<float> adam(encoder.parameters().size(), {.weight_decay = options.weight_decay});
  Pixels embeddings(static_cast<Index>(rows), encoder.outputs());
  Pixels d_embeddings;
  std::vector<Step> history;
  history.reserve(steps);
  progress.start(options.epochs, sampler.batches_per_epoch(), rows);
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    for (const std::vector<std::size_t>& batch : sampler.epoch(random)) {
      const std::span<const std::size_t> which(batch);
      parallel_for(shard_count, [&](Index s) {
        Shard& shard = shards[static_cast<std::size_t>(s)];
        gather(images, which.subspan(shard.begin, shard.size), scale, shard.images);
        embeddings.middleRows(static_cast<Index>(shard.begin), static_cast<Index>(shard.size)) =
            encoder.forward(shard.images, shard.tape);
      });

      const double value = loss(embeddings, labels_of(images, which), d_embeddings);

      parallel_for(shard_count, [&](Index s) {
        Shard& shard = shards[static_cast<std::size_t>(s)];
        encoder.backward(shard.images, shard.tape,
                         d_embeddings.middleRows(static_cast<Index>(shard.begin),
                                                 static_cast<Index>(shard.size)),
                         shard.gradient);
      });
      for (std::size_t s = 1; s < shards.size(); ++s) shards[0].gradient += shards[s].gradient;

      const double rate = scheduled(options.learning_rate, history.size(), steps);
      adam.step(encoder.parameters(), shards[0].gradient, rate);
      history.push_back({epoch, rate, value});
      progress.step(value);
    }
  }
  progress.finish();
  return history;
}

Pixels encode(const Network<float>& encoder, const ImageSet& images, const PixelScale& scale,
              std::span<const std::size_t> which) {
  const std::vector<Shard> shards = split(which.size());
  Pixels embeddings(static_cast<Index>(which.size()), encoder.outputs());
  parallel_for(static_cast<Index>(shards.size()), [&](Index s) {
    Shard shard = shards[static_cast<std::size_t>(s)];
    gather(images, which.subspan(shard.begin, shard.size), scale, shard.images);
    embeddings.middleRows(static_cast<Index>(shard.begin), static_cast<Index>(shard.size)) =
        encoder.forward(shard.images, shard.tape);
  });
  return embeddings;
}

}  // namespace example
