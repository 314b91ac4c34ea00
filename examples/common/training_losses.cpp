#include "common/training_losses.hpp"

#include <array>
#include <memory>

namespace example {
namespace {

using nearfar::Index;
using Embeddings = nearfar::Matrix<float>;

LossFunction make_hadsell(const LossSettings& settings) {
  const nearfar::HadsellContrastive<float> loss({.margin = settings.margin.value_or(4.0)});
  return [loss, workspace = std::make_shared<nearfar::Workspace>(settings.threads)](
             const Embeddings& embeddings, std::span<const std::uint8_t> labels,
             Embeddings& d_embeddings) {
    return loss.forward_backward(embeddings, labels, d_embeddings, {.workspace = workspace.get()})
        .value;
  };
}

// Squared distances rather than cosines: on a plane, cosine similarity sees angles only, and ten
// classes share one circle. At temperature 1 a class settles into a round cloud of radius about 1.
// Keys of the query's own class are among its negatives here; that costs a constant (the loss ends
// near the logarithm of their number) and leaves the best map where it was.
LossFunction make_info_nce(const LossSettings& settings) {
  const nearfar::InfoNce<float, nearfar::SquaredEuclidean> loss(
      {.temperature = settings.temperature.value_or(1.0)});
  return
      [loss, workspace = std::make_shared<nearfar::Workspace>(settings.threads)](
          const Embeddings& embeddings, std::span<const std::uint8_t>, Embeddings& d_embeddings) {
        const Index pairs = embeddings.rows() / 2;
        d_embeddings.resize(embeddings.rows(), embeddings.cols());
        return loss
            .forward_backward(embeddings.topRows(pairs), embeddings.bottomRows(pairs),
                              d_embeddings.topRows(pairs), d_embeddings.bottomRows(pairs),
                              {.workspace = workspace.get()})
            .value;
      };
}

constexpr std::array table = {
    TrainingLoss{"hadsell", "Hadsell contrastive loss",
                 "all pairs of the batch; same class pulled together, others pushed to the margin",
                 make_hadsell},
    TrainingLoss{"info_nce", "InfoNCE on squared distances",
                 "each image has to find its partner of the same class in the batch",
                 make_info_nce},
};

}  // namespace

std::span<const TrainingLoss> training_losses() { return table; }

const TrainingLoss* find_training_loss(std::string_view name) {
  for (const TrainingLoss& loss : table) {
    if (loss.name == name) return &loss;
  }
  return nullptr;
}

std::string training_loss_names() {
  std::string names;
  for (const TrainingLoss& loss : table) {
    if (!names.empty()) names += ", ";
    names += loss.name;
  }
  return names;
}

}  // namespace example
