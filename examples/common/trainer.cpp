#include "common/trainer.hpp"

#include "common/adam.hpp"
#include "common/batch_pass.hpp"
#include "common/batches.hpp"
#include "common/schedule.hpp"

namespace example {

std::vector<Step> train(Network<float>& encoder, const ImageSet& images, const PixelScale& scale,
                        const LossFunction& loss, const TrainOptions& options, Random& random,
                        Progress& progress) {
  const PairedBatches sampler(images.labels, options.batch);
  const std::size_t rows = sampler.batch_size();
  const std::size_t steps = sampler.batches_per_epoch() * static_cast<std::size_t>(options.epochs);
  Adam<float> adam(encoder.parameters().size(), {.weight_decay = options.weight_decay});
  BatchPass pass(encoder);
  Pixels d_embeddings;
  std::vector<Step> history;
  history.reserve(steps);
  progress.start(options.epochs, sampler.batches_per_epoch(), rows);
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    for (const std::vector<std::size_t>& batch : sampler.epoch(random)) {
      const std::span<const std::size_t> which(batch);
      const Pixels& embeddings = pass.forward(
          rows, [&](std::size_t row, float* to) { fill_image(images, which[row], scale, to); });
      const double value = loss(embeddings, labels_of(images, which), d_embeddings);
      const double rate = scheduled(options.learning_rate, history.size(), steps);
      adam.step(encoder.parameters(), pass.backward(d_embeddings), rate);
      history.push_back({epoch, rate, value});
      progress.step(value);
    }
  }
  progress.finish();
  return history;
}

Pixels encode(const Network<float>& encoder, const ImageSet& images, const PixelScale& scale,
              std::span<const std::size_t> which) {
  return represent(encoder, which.size(),
                   [&](std::size_t row, float* to) { fill_image(images, which[row], scale, to); });
}

}  // namespace example
