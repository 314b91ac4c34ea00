#include "common/bfgs.hpp"

#include <utility>

namespace example {

BfgsResult minimise(const ValueAndGradient& function, Eigen::VectorXd start,
                    const BfgsOptions& options) {
  constexpr double sufficient = 1e-4;  // of the fall that the gradient promises
  constexpr int most_halvings = 60;
  BfgsResult result;
  result.parameters = std::move(start);
  const Eigen::Index n = result.parameters.size();
  Eigen::VectorXd gradient(n);
  result.value = function(result.parameters, gradient);
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(n, n);  // of the Hessian, an estimate
  Eigen::VectorXd next(n);
  Eigen::VectorXd next_gradient(n);
  const auto met = [&] { return gradient.lpNorm<Eigen::Infinity>() <= options.tolerance; };
  for (; result.steps < options.most_steps && !met(); ++result.steps) {
    const Eigen::VectorXd direction = -(inverse * gradient);
    const double slope = gradient.dot(direction);
    double length = 1;
    double value = result.value;
    bool fell = false;
    for (int halvings = 0; halvings < most_halvings && !fell; ++halvings, length /= 2) {
      next = result.parameters + length * direction;
      value = function(next, next_gradient);
      fell = value < result.value && value <= result.value + sufficient * length * slope;
    }
    if (!fell) break;
    const Eigen::VectorXd moved = next - result.parameters;
    const Eigen::VectorXd change = next_gradient - gradient;
    const double curvature = moved.dot(change);
    // Without positive curvature the estimate would not stay positive definite.
    if (curvature > 0) {
      if (result.steps == 0) inverse *= curvature / change.squaredNorm();
      const Eigen::VectorXd mapped = inverse * change;
      inverse += (1 + change.dot(mapped) / curvature) / curvature * moved * moved.transpose() -
                 (mapped * moved.transpose() + moved * mapped.transpose()) / curvature;
    }
    result.parameters = next;
    result.value = value;
    gradient = next_gradient;
  }
  result.converged = met();
  return result;
}

}  // namespace example
