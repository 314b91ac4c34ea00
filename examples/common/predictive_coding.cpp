#include "common/predictive_coding.hpp"

namespace example {

using Eigen::Index;

PredictiveModel::PredictiveModel(const PredictiveSizes& sizes, Random& random)
    : encoder(std::vector<Index>{sizes.inputs, sizes.hidden, sizes.targets}, random),
      reader(sizes.targets, sizes.contexts, random),
      weights(sizes.steps * sizes.targets * sizes.contexts) {
  for (float& w : weights) {
    w = static_cast<float>(random.normal() / static_cast<double>(sizes.contexts));
  }
}

void PredictivePass::forward(std::size_t sequences, Index length, const FillRow& fill) {
  targets_ = &encoder_.forward(sequences * static_cast<std::size_t>(length), fill);
  contexts_ = &reader_.forward(*targets_, length);
}

void PredictiveAdam::step(PredictivePass& pass, const Pixels& d_contexts, Pixels& d_targets,
                          double rate) {
  reader_.step(model_.reader.parameters(), pass.backward_reader(d_contexts, d_targets), rate);
  encoder_.step(model_.encoder.parameters(), pass.backward_encoder(d_targets), rate);
}

PredictiveTraining::PredictiveTraining(PredictiveModel& model, const nearfar::CpcOptions& options,
                                       int threads)
    : model_(model),
      loss_(options),
      workspace_(threads),
      pass_(model),
      adam_(model),
      weights_adam_(model.weights.size()),
      d_weights_(model.weights.size()) {}

nearfar::CpcResult PredictiveTraining::step(std::size_t sequences, const FillRow& fill,
                                            double rate) {
  pass_.forward(sequences, loss_.options().length, fill);
  const nearfar::Rows<float> predictions = model_.predictions();
  const nearfar::CpcResult result = loss_.forward_backward(
      pass_.contexts(), pass_.targets(), predictions, d_contexts_, d_targets_,
      {d_weights_.data(), predictions.rows(), predictions.cols()}, {.workspace = &workspace_});
  // Targets learn twice: as what is to be found, and as what contexts are made of.
  adam_.step(pass_, d_contexts_, d_targets_, rate);
  weights_adam_.step(model_.weights, d_weights_, rate);
  return result;
}

void add(PredictiveSteps& sum, const PredictiveSteps& more, double weight) {
  sum.resize(more.size());
  for (std::size_t k = 0; k < more.size(); ++k) {
    sum[k].loss += weight * more[k].loss;
    sum[k].bound += weight * more[k].bound;
  }
}

}  // namespace example
