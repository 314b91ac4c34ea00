#pragma once

#include <Eigen/Core>
#include <vector>

#include "common/random.hpp"

/// \file
/// A small encoder: convolutions and linear layers with ReLU between them, the backward pass
/// written by hand.

namespace example {

/// Images as rows: position after position, row by row, the channels of a position together.
struct ImageShape {
  Eigen::Index height = 1;
  Eigen::Index width = 1;
  Eigen::Index channels = 1;

  Eigen::Index size() const { return height * width * channels; }
};

/// What one layer does. A linear layer is a convolution of images of one position.
struct Layer {
  ImageShape input;
  Eigen::Index outputs = 0;  ///< channels of the output
  Eigen::Index kernel = 1;   ///< height and width of the patch that one output position sees
  Eigen::Index stride = 1;   ///< positions from one patch to the next
  Eigen::Index padding = 0;  ///< positions of zeros around the image

  ImageShape output() const {
    return {(input.height + 2 * padding - kernel) / stride + 1,
            (input.width + 2 * padding - kernel) / stride + 1, outputs};
  }
  Eigen::Index patch() const { return kernel * kernel * input.channels; }
  /// Whether the rows are patches as they are.
  bool linear() const { return kernel == 1 && stride == 1 && padding == 0; }
};

/// The layers of an encoder of grey images: two convolutions that halve height and width, then
/// linear layers of these widths.
std::vector<Layer> convolutional(Eigen::Index height, Eigen::Index width,
                                 const std::vector<Eigen::Index>& linear_widths);

/// Layers with ReLU after each but the last. Its parameters are one vector, layer after layer,
/// weights (patch x outputs, row by row) before biases: an optimizer, a momentum encoder or a
/// gradient check sees nothing else of it.
template <class S>
class Network {
 public:
  using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;
  using Rows = Eigen::Ref<const Matrix>;  ///< any rows with contiguous elements
  using Index = Eigen::Index;

  /// What a forward pass leaves to the backward pass, and room for the latter. One a thread.
  struct Tape {
    std::vector<Matrix> patches;    ///< what a convolution multiplies by its weights
    std::vector<Matrix> outputs;    ///< of each layer, after its ReLU
    std::vector<Matrix> gradients;  ///< with respect to the same
  };

  /// Weights are normal with variance 2 / inputs where a ReLU follows (He et al. 2015), 1 / inputs
  /// at the output; biases are 0. Throws std::invalid_argument on layers that do not fit together.
  Network(std::vector<Layer> layers, Random& random);

  /// Linear layers; `widths`: of the input, of each hidden layer, of the output.
  Network(const std::vector<Index>& widths, Random& random);

  Index inputs() const { return layers_.front().input.size(); }
  Index outputs() const { return layers_.back().output().size(); }
  Index outputs(std::size_t layer) const { return layers_[layer].output().size(); }
  std::size_t layers() const { return layers_.size(); }
  Vector& parameters() { return parameters_; }
  const Vector& parameters() const { return parameters_; }

  /// The embeddings of `input`'s rows; they live in the tape, as do all layers' outputs.
  const Matrix& forward(const Rows& input, Tape& tape) const;

  /// The gradient with respect to the parameters, from that with respect to the embeddings that
  /// forward() made of `input`. Overwrites `d_parameters`, and `d_input` with the gradient with
  /// respect to `input` unless it is null.
  void backward(const Rows& input, Tape& tape, const Rows& d_embeddings, Vector& d_parameters,
                Matrix* d_input = nullptr) const;

 private:
  std::vector<Layer> layers_;
  std::vector<Index> offsets_;  // of each layer's weights in parameters_
  Vector parameters_;
};

extern template class Network<float>;
extern template class Network<double>;

}  // namespace example
