#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "common/parallel.hpp"

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
    // Each element is for itself, so that sums do not depend on the pieces.
    constexpr Eigen::Index piece = 1 << 14;
    parallel_for((parameters.size() + piece - 1) / piece, [&](Eigen::Index p) {
      const Eigen::Index first = p * piece;
      const Eigen::Index count = std::min(piece, parameters.size() - first);
      const auto g = gradient.segment(first, count).array();
      auto mean = mean_.segment(first, count).array();
      auto square = square_.segment(first, count).array();
      auto x = parameters.segment(first, count).array();
      mean = b1 * mean + (1 - b1) * g;
      square = b2 * square + (1 - b2) * g.square();
      x = keep * x - rate * mean / (scale * square.sqrt() + epsilon);
    });
  }

 private:
  AdamOptions options_;
  int steps_ = 0;
  Vector mean_;
  Vector square_;
};

}  // namespace example
