#pragma once

#include <Eigen/Core>
#include <cmath>

/// \file
/// The optimizer.

namespace example {

struct AdamOptions {
  double beta1 = 0.9;         ///< decay of the mean of the gradients
  double beta2 = 0.999;       ///< decay of the mean of their squares
  double epsilon = 1e-8;      ///< keeps the step finite if gradients vanish
  double weight_decay = 0.0;  ///< decoupled from the gradient (AdamW): shrinks parameters by
                              ///< learning_rate x weight_decay a step
};

/// Adam (Kingma and Ba 2015) on one vector of parameters; with weight_decay, AdamW (Loshchilov and
/// Hutter 2019).
template <class S>
class Adam {
 public:
  using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;

  explicit Adam(Eigen::Index size, AdamOptions options = {})
      : options_(options), mean_(Vector::Zero(size)), square_(Vector::Zero(size)) {}

  /// One step of gradient descent.
  void step(Vector& parameters, const Vector& gradient, double learning_rate) {
    ++steps_;
    const S b1 = static_cast<S>(options_.beta1);
    const S b2 = static_cast<S>(options_.beta2);
    // Both means start at 0; the divisions correct for that.
    const double unbias1 = 1 - std::pow(options_.beta1, steps_);
    const double unbias2 = 1 - std::pow(options_.beta2, steps_);
    const S rate = static_cast<S>(learning_rate / unbias1);
    const S scale = static_cast<S>(1 / std::sqrt(unbias2));
    const S epsilon = static_cast<S>(options_.epsilon);
    const S keep = static_cast<S>(1 - learning_rate * options_.weight_decay);
    mean_ = b1 * mean_ + (1 - b1) * gradient;
    square_.array() = b2 * square_.array() + (1 - b2) * gradient.array().square();
    parameters.array() = keep * parameters.array() -
                         rate * mean_.array() / (scale * square_.array().sqrt() + epsilon);
  }

 private:
  AdamOptions options_;
  int steps_ = 0;
  Vector mean_;
  Vector square_;
};

}  // namespace example
