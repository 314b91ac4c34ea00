#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "common/batch_pass.hpp"
#include "common/random.hpp"

/// \file
/// Classifiers by softmax regression: a network with labels, and the linear probe that says how
/// much of the classes lies open in a representation.

namespace example {

/// Mean cross entropy of the softmax of `logits` (N x classes), and its gradient, N x classes.
double cross_entropy(const Pixels& logits, std::span<const std::uint8_t> labels, Pixels& d_logits);

struct ClassifierOptions {
  int epochs = 10;
  std::size_t batch = 256;
  double learning_rate = 1e-3;  ///< the highest, as scheduled() has it
  double weight_decay = 1e-4;
};

/// Trains the network, whose outputs are logits, in place with Adam; calls `on_step(loss)` after
/// each step. `fill` writes the input of sample `row`.
void train_classifier(Network<float>& network, const FillRow& fill,
                      std::span<const std::uint8_t> labels, const ClassifierOptions& options,
                      Random& random, const std::function<void(double)>& on_step = {});

/// The share of samples whose largest logit is their label's.
double accuracy(const Network<float>& network, const FillRow& fill,
                std::span<const std::uint8_t> labels);

/// Accuracy on the test rows of a linear classifier trained on the training rows, each column of
/// which has been brought to mean 0 and variance 1 first.
double linear_probe(const Pixels& train, std::span<const std::uint8_t> train_labels,
                    const Pixels& test, std::span<const std::uint8_t> test_labels, Random random,
                    const ClassifierOptions& options = {});

/// The same with the weight decay, of some that are powers of ten, that is best for a fifth of the
/// training rows when the others are trained on: representations of any size are judged alike.
double tuned_linear_probe(const Pixels& train, std::span<const std::uint8_t> train_labels,
                          const Pixels& test, std::span<const std::uint8_t> test_labels,
                          Random random, ClassifierOptions options);

}  // namespace example
