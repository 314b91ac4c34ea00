#pragma once

#include <cstdint>
#include <functional>
#include <nearfar/nearfar.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// \file
/// The losses that can train an encoder, as one table. The losses over labels of nearfar's register
/// are in it; another one is one more entry.

namespace example {

/// The loss of a batch from its embeddings (in the layout of PairedBatches) and labels. Writes the
/// gradient with respect to the embeddings, resized as needed. Keeps scratch memory from call to
/// call: one call at a time.
using LossFunction = std::function<double(const nearfar::Matrix<float>& embeddings,
                                          std::span<const std::uint8_t> labels,
                                          nearfar::Matrix<float>& d_embeddings)>;

/// Settings from outside; a loss uses those that it needs.
struct LossSettings {
  std::optional<double> margin = {};
  std::optional<double> temperature = {};
  int threads = 0;  ///< for the loss alone; 0: all available
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
