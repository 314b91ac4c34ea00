#pragma once

#include <Eigen/Core>
#include <vector>

#include "common/random.hpp"

/// \file
/// A small encoder: linear layers with ReLU between them, the backward pass written by hand.

namespace example {

/// A multilayer perceptron. Its parameters are one vector, layer after layer, weights (inputs x
/// outputs, row by row) before biases: an optimizer or a gradient check sees nothing else of it.
template <class S>
class Mlp {
 public:
  using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;
  using Rows = Eigen::Ref<const Matrix>;  ///< any rows with contiguous elements
  using Index = Eigen::Index;

  /// What a forward pass leaves to the backward pass, and room for the latter. One a thread.
  struct Tape {
    std::vector<Matrix> outputs;    ///< of each layer, after its ReLU
    std::vector<Matrix> gradients;  ///< with respect to the same
  };

  /// `widths`: of the input, of each hidden layer, of the output. Weights are normal with variance
  /// 2 / inputs where a ReLU follows (He et al. 2015), 1 / inputs at the output; biases are 0.
  Mlp(std::vector<Index> widths, Random& random);

  Index inputs() const { return widths_.front(); }
  Index outputs() const { return widths_.back(); }
  Vector& parameters() { return parameters_; }
  const Vector& parameters() const { return parameters_; }

  /// The embeddings of `input`'s rows; they live in the tape.
  const Matrix& forward(const Rows& input, Tape& tape) const;

  /// The gradient with respect to the parameters, from that with respect to the embeddings that
  /// forward() made of `input`. Overwrites `d_parameters`.
  void backward(const Rows& input, Tape& tape, const Rows& d_embeddings,
                Vector& d_parameters) const;

 private:
  std::size_t layers() const { return widths_.size() - 1; }

  std::vector<Index> widths_;
  std::vector<Index> offsets_;  // of each layer's weights in parameters_
  Vector parameters_;
};

extern template class Mlp<float>;
extern template class Mlp<double>;

}  // namespace example
