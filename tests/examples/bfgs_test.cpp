#include "common/bfgs.hpp"

#include <gtest/gtest.h>

namespace example_test {
namespace {

using example::BfgsResult;
using example::minimise;

TEST(Bfgs, FindsTheMinimumOfRosenbrocksFunction) {
  const auto rosenbrock = [](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    const double a = 1 - x[0];
    const double b = x[1] - x[0] * x[0];
    gradient[0] = -2 * a - 400 * x[0] * b;
    gradient[1] = 200 * b;
    return a * a + 100 * b * b;
  };
  const BfgsResult found = minimise(rosenbrock, Eigen::Vector2d(-1.2, 1));
  EXPECT_TRUE(found.converged);
  EXPECT_NEAR(found.parameters[0], 1, 1e-7);
  EXPECT_NEAR(found.parameters[1], 1, 1e-7);
  EXPECT_LT(found.steps, 60);
}

TEST(Bfgs, StopsAtTheMostStepsAndSaysThatItHasNotConverged) {
  const auto quartic = [](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    gradient = 4 * x.array().cube();
    return x.array().pow(4).sum();
  };
  const Eigen::VectorXd start = Eigen::VectorXd::LinSpaced(5, 1, 3);
  const BfgsResult few = minimise(quartic, start, {.most_steps = 3});
  EXPECT_EQ(few.steps, 3);
  EXPECT_FALSE(few.converged);
  EXPECT_LT(few.value, start.array().pow(4).sum());
  EXPECT_TRUE(minimise(quartic, start).converged);
}

TEST(Bfgs, StaysWhereTheGradientIsZero) {
  const auto square = [](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    gradient = 2 * x;
    return x.squaredNorm();
  };
  const BfgsResult found = minimise(square, Eigen::VectorXd::Zero(3));
  EXPECT_EQ(found.steps, 0);
  EXPECT_TRUE(found.converged);
  EXPECT_EQ(found.value, 0);
}

}  // namespace
}  // namespace example_test
