#pragma once

#include <cstddef>
#include <vector>

#include "common/dataset.hpp"
#include "common/network.hpp"
#include "common/progress.hpp"
#include "common/training_losses.hpp"

/// \file
/// The training loop, and passes of a trained encoder over a set.

namespace example {

struct TrainOptions {
  int epochs = 0;
  std::size_t batch = 0;     ///< images a step
  double learning_rate = 0;  ///< the highest: rises in a short warm-up, then falls along a cosine
  double weight_decay = 0;
};

/// One step of training, for the loss curve.
struct Step {
  int epoch = 0;  ///< from 1
  double learning_rate = 0;
  double loss = 0;
};

/// Trains the encoder in place; returns every step. Throws the exceptions of the loss:
/// std::domain_error if training diverged.
std::vector<Step> train(Network<float>& encoder, const ImageSet& images, const PixelScale& scale,
                        const LossFunction& loss, const TrainOptions& options, Random& random,
                        Progress& progress);

/// The embeddings of the images `which`.
Pixels encode(const Network<float>& encoder, const ImageSet& images, const PixelScale& scale,
              std::span<const std::size_t> which);

}  // namespace example
