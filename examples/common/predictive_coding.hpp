#pragma once

#include <nearfar/losses/cpc.hpp>
#include <vector>

#include "common/adam.hpp"
#include "common/batch_pass.hpp"
#include "common/gru.hpp"
#include "common/network.hpp"

/// \file
/// The model of contrastive predictive coding and its training: what programs on sequences of any
/// kind share.

namespace example {

struct PredictiveSizes {
  Eigen::Index inputs = 0;    ///< numbers of a position of a sequence
  Eigen::Index hidden = 64;   ///< outputs of the encoder's first layer
  Eigen::Index targets = 32;  ///< of its second
  Eigen::Index contexts = 128;
  Eigen::Index steps = 1;  ///< positions ahead that are predicted
};

/// What is trained: an encoder of single positions, whose outputs are the targets; a recurrent unit
/// that reads them, whose states are the contexts; and a matrix a step, one below the other.
struct PredictiveModel {
  Network<float> encoder;
  Gru<float> reader;
  Eigen::VectorXf weights;

  PredictiveModel(const PredictiveSizes& sizes, Random& random);

  nearfar::Rows<float> predictions() const {
    return {weights.data(), weights.size() / reader.size(), reader.size()};
  }
};

/// A batch of sequences on its way through the model and back.
class PredictivePass {
 public:
  /// `model` must outlive the object.
  explicit PredictivePass(const PredictiveModel& model)
      : encoder_(model.encoder), reader_(model.reader) {}

  /// `fill` writes position t of sequence b as row b `length` + t.
  void forward(std::size_t sequences, Eigen::Index length, const FillRow& fill);
  const Pixels& targets() const { return *targets_; }
  const Pixels& contexts() const { return *contexts_; }

  /// `d_targets`: the loss's own part; what comes through the contexts is added to it.
  const Eigen::VectorXf& backward_reader(const Pixels& d_contexts, Pixels& d_targets) {
    return reader_.backward(d_contexts, d_targets);
  }
  const Eigen::VectorXf& backward_encoder(const Pixels& d_targets) {
    return encoder_.backward(d_targets);
  }

 private:
  BatchPass encoder_;
  GruPass reader_;
  const Pixels* targets_ = nullptr;
  const Pixels* contexts_ = nullptr;
};

/// Adam on encoder and reader.
class PredictiveAdam {
 public:
  explicit PredictiveAdam(PredictiveModel& model)
      : model_(model),
        encoder_(model.encoder.parameters().size()),
        reader_(model.reader.parameters().size()) {}

  /// One step for the last forward() of `pass`; `d_targets` as PredictivePass has it.
  void step(PredictivePass& pass, const Pixels& d_contexts, Pixels& d_targets, double rate);

 private:
  PredictiveModel& model_;
  Adam<float> encoder_;
  Adam<float> reader_;
};

/// Training by the loss Cpc.
class PredictiveTraining {
 public:
  /// `model` must outlive the object.
  PredictiveTraining(PredictiveModel& model, const nearfar::CpcOptions& options, int threads);

  /// One step on a batch, as PredictivePass::forward takes it.
  nearfar::CpcResult step(std::size_t sequences, const FillRow& fill, double rate);

 private:
  PredictiveModel& model_;
  nearfar::Cpc<float> loss_;
  nearfar::Workspace workspace_;
  PredictivePass pass_;
  PredictiveAdam adam_;
  Adam<float> weights_adam_;
  Eigen::VectorXf d_weights_;
  Pixels d_contexts_;
  Pixels d_targets_;
};

/// The losses and bounds of all steps ahead.
using PredictiveSteps = std::vector<nearfar::CpcStep>;

/// Adds `weight` times `more` to a sum that may be empty yet.
void add(PredictiveSteps& sum, const PredictiveSteps& more, double weight);

}  // namespace example
