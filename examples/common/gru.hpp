#pragma once

#include <Eigen/Core>
#include <vector>

#include "common/dataset.hpp"
#include "common/random.hpp"

/// \file
/// A gated recurrent unit: a network that reads a sequence and keeps a state, with the backward
/// pass through time.

namespace example {

/// For an input x and the state h before it, with products row by row and sigma the logistic
/// function,
///
///     r = sigma(x W_r + h U_r + b_r)               reset gate
///     u = sigma(x W_u + h U_u + b_u)               update gate
///     n = tanh(x W_n + b_n + r * (h U_n + c))      candidate state
///     h' = (1 - u) * n + u * h
///
/// (Cho et al., Learning phrase representations using RNN encoder-decoder, 2014, with the reset
/// gate r after the product instead of before it, so that a step is one product.) States start at
/// 0. Sequences are in rows: position t of sequence b of length T is row b T + t.
template <class S>
class Gru {
 public:
  using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;
  using Rows = Eigen::Ref<const Matrix>;
  using Index = Eigen::Index;

  /// The results of a forward pass for the backward pass, and memory for the latter. One a thread.
  struct Tape {
    Matrix states;    ///< h', B T x H
    Matrix gates;     ///< r, u and n side by side, B T x 3 H
    Matrix recalled;  ///< h U_n + c, B T x H
    Matrix d_inputs;  ///< gradient with respect to x's part of each gate before its sigma or tanh
    Matrix d_recurrent;  ///< gradient with respect to h's part
  };

  /// Weights are normal with variance 1 / (their number of inputs); biases are 0, except those of
  /// u, which are 1, so that the state changes slowly at the start. Throws std::invalid_argument
  /// unless both sizes are > 0.
  Gru(Index inputs, Index size, Random& random);

  Index inputs() const { return inputs_; }
  Index size() const { return size_; }

  /// One vector: W (inputs x 3 H, gates r, u, n side by side), U (H x 3 H), b (3 H), c (H).
  Vector& parameters() { return parameters_; }
  const Vector& parameters() const { return parameters_; }

  /// The states after each position of sequences of `length` rows of `input`. They are in the tape.
  const Matrix& forward(const Rows& input, Index length, Tape& tape) const;

  /// The gradients with respect to the parameters and to `input`, from that with respect to the
  /// states of forward(). Overwrites both.
  void backward(const Rows& input, Index length, Tape& tape, const Rows& d_states,
                Vector& d_parameters, Matrix& d_input) const;

 private:
  Index inputs_;
  Index size_;
  Vector parameters_;
};

extern template class Gru<float>;
extern template class Gru<double>;

/// A pass of a batch of sequences through a recurrent unit and back, on several threads. Sequences
/// are divided into shards of a fixed number, so that sums over a batch do not depend on the number
/// of threads.
class GruPass {
 public:
  /// `unit` must outlive the object.
  explicit GruPass(const Gru<float>& unit) : unit_(unit) {}

  /// The states of all positions, valid until the next call. `input` is as for Gru, and must stay
  /// unchanged until backward().
  const Pixels& forward(const Pixels& input, Eigen::Index length);

  /// The gradient with respect to the parameters, summed over the sequences of the last forward();
  /// the gradient with respect to its input is added to `d_input`.
  const Gru<float>::Vector& backward(const Pixels& d_states, Pixels& d_input);

 private:
  struct Shard {
    Gru<float>::Tape tape;
    Gru<float>::Vector gradient;
    Pixels d_input;
  };

  /// Calls body(shard, its first row, its rows) for all shards, on several threads.
  template <class Body>
  void each_shard(const Body& body);

  const Gru<float>& unit_;
  const Pixels* input_ = nullptr;
  Eigen::Index length_ = 1;
  std::vector<Shard> shards_;
  Pixels states_;
};

}  // namespace example
