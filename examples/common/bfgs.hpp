#pragma once

#include <Eigen/Core>
#include <functional>

/// \file
/// The optimizer of a smooth function of few parameters.

namespace example {

/// The value of a function; writes its gradient to the second argument.
using ValueAndGradient = std::function<double(const Eigen::VectorXd&, Eigen::VectorXd&)>;

struct BfgsOptions {
  double tolerance = 1e-8;  ///< ends when no element of the gradient is larger
  int most_steps = 1000;
};

struct BfgsResult {
  Eigen::VectorXd parameters;
  double value = 0;
  int steps = 0;
  bool converged = false;  ///< whether the gradient met the tolerance
};

/// Minimises a function by BFGS (Nocedal and Wright, Numerical optimization, 2006, algorithm 6.1)
/// with steps that are halved until the function falls enough (the same, algorithm 3.1). It also
/// ends when no step makes the value smaller.
BfgsResult minimise(const ValueAndGradient& function, Eigen::VectorXd start,
                    const BfgsOptions& options = {});

}  // namespace example
