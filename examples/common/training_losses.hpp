#pragma once

#include <cstdint>
#include <functional>
#include <nearfar/nearfar.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// \file
/// The losses an encoder can be trained with, as one table. A loss over labels of nearfar's
/// register is there by itself; another is one more entry.

namespace example {

/// From the embeddings of a batch (laid out as PairedBatches says) and their labels to the loss;
/// the gradient with respect to the embeddings is written, resized as needed. Keeps scratch memory
/// from call to call: one call at a time.
using LossFunction = std::function<double(const nearfar::Matrix<float>& embeddings,
                                          std::span<const std::uint8_t> labels,
                                          nearfar::Matrix<float>& d_embeddings)>;

/// What can be set from outside; a loss reads what it has a use for.
struct LossSettings {
  std::optional<double> margin = {};
  std::optional<double> temperature = {};
  int threads = 0;  ///< for the loss alone; 0: all there are
};

struct TrainingLoss {
  std::string_view name;     ///< on the command line
  std::string_view title;    ///< in pictures
  std::string_view summary;  ///< in --help
  LossFunction (*make)(const LossSettings&);
};

/// The table.
std::span<const TrainingLoss> training_losses();

/// The entry of that name, or null.
const TrainingLoss* find_training_loss(std::string_view name);

/// All names, separated by commas.
std::string training_loss_names();

}  // namespace example
