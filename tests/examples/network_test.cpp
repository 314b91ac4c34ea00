#include "common/network.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "common/adam.hpp"

namespace example_test {
namespace {

using Eigen::Index;
using example::Adam;
using example::Layer;
using example::Network;
using example::Random;
using Net = Network<double>;

Net::Matrix random_matrix(Index rows, Index cols, Random& random) {
  Net::Matrix m(rows, cols);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal();
  return m;
}

/// A number that depends on all embeddings, each with a weight of its own.
double weighed(const Net& net, const Net::Matrix& input, const Net::Matrix& weights) {
  Net::Tape tape;
  return net.forward(input, tape).cwiseProduct(weights).sum();
}

/// Compares backward() with central differences of forward(), by each parameter and each input.
void expect_right_gradient(Net net, Random& random) {
  // Biases start at 0, where a wrong bias gradient could hide.
  for (Index i = 0; i < net.parameters().size(); ++i) net.parameters()[i] += 0.1 * random.normal();
  Net::Matrix input = random_matrix(8, net.inputs(), random);
  const Net::Matrix weights = random_matrix(8, net.outputs(), random);
  Net::Tape tape;
  net.forward(input, tape);
  Net::Vector gradient;
  Net::Matrix d_input;
  net.backward(input, tape, weights, gradient, &d_input);
  ASSERT_EQ(gradient.size(), net.parameters().size());
  // Small enough that no ReLU changes sides between the two ends.
  constexpr double h = 1e-6;
  const auto expect_derivative = [&](double derivative, double& of, Index i) {
    const double at = of;
    of = at + h;
    const double above = weighed(net, input, weights);
    of = at - h;
    const double below = weighed(net, input, weights);
    of = at;
    const double expected = (above - below) / (2 * h);
    EXPECT_NEAR(derivative, expected, 1e-7 * std::max(1.0, std::abs(expected))) << i;
  };
  for (Index i = 0; i < gradient.size(); ++i) {
    expect_derivative(gradient[i], net.parameters()[i], i);
  }
  EXPECT_GT(gradient.norm(), 0.1);
  ASSERT_EQ(d_input.rows(), input.rows());
  ASSERT_EQ(d_input.cols(), input.cols());
  for (Index i = 0; i < d_input.size(); ++i) {
    expect_derivative(d_input.data()[i], input.data()[i], i);
  }
  EXPECT_GT(d_input.norm(), 0.1);
}

TEST(Network, GradientIsThatOfTheForwardPass) {
  for (const std::vector<Index>& widths :
       std::vector<std::vector<Index>>{{5, 3}, {4, 7, 2}, {6, 5, 4, 3}}) {
    Random random(11);
    expect_right_gradient(Net(widths, random), random);
  }
}

TEST(Network, GradientOfConvolutionsIsThatOfTheForwardPass) {
  Random random(15);
  const Layer first{.input = {5, 6, 2}, .outputs = 3, .kernel = 3, .stride = 2, .padding = 1};
  const Layer second{.input = first.output(), .outputs = 4, .kernel = 2};
  const Layer third{.input = {1, 1, second.output().size()}, .outputs = 3};
  expect_right_gradient(Net(std::vector<Layer>{first, second, third}, random), random);
  expect_right_gradient(Net(example::convolutional(4, 3, {2}), random), random);
}

TEST(Network, ConvolutionIsTheSumOverItsPatch) {
  Random random(16);
  const Layer layer{.input = {5, 4, 2}, .outputs = 3, .kernel = 3, .stride = 2, .padding = 1};
  const Net net(std::vector<Layer>{layer}, random);
  const Net::Matrix input = random_matrix(2, 40, random);
  Net::Tape tape;
  const Net::Matrix& output = net.forward(input, tape);
  ASSERT_EQ(output.cols(), 3 * 2 * 3);
  for (Index i = 0; i < 2; ++i) {
    for (Index y = 0; y < 3; ++y) {
      for (Index x = 0; x < 2; ++x) {
        for (Index o = 0; o < 3; ++o) {
          double sum = 0;
          for (Index a = 0; a < 3; ++a) {
            for (Index b = 0; b < 3; ++b) {
              const Index row = 2 * y - 1 + a;
              const Index col = 2 * x - 1 + b;
              if (row < 0 || row >= 5 || col < 0 || col >= 4) continue;
              for (Index c = 0; c < 2; ++c) {
                sum += input(i, (row * 4 + col) * 2 + c) *
                       net.parameters()[((a * 3 + b) * 2 + c) * 3 + o];
              }
            }
          }
          EXPECT_NEAR(output(i, (y * 2 + x) * 3 + o), sum, 1e-12);
        }
      }
    }
  }
}

TEST(Network, GradientOfABatchIsTheSumOverItsParts) {
  Random random(12);
  const Net net(std::vector<Index>{5, 6, 2}, random);
  const Net::Matrix input = random_matrix(9, 5, random);
  const Net::Matrix d_output = random_matrix(9, 2, random);
  Net::Tape tape;
  net.forward(input, tape);
  Net::Vector whole;
  net.backward(input, tape, d_output, whole);
  Net::Vector sum = Net::Vector::Zero(whole.size());
  for (const auto& [begin, size] : {std::pair<Index, Index>{0, 4}, {4, 5}}) {
    Net::Vector part;
    net.forward(input.middleRows(begin, size), tape);
    net.backward(input.middleRows(begin, size), tape, d_output.middleRows(begin, size), part);
    sum += part;
  }
  EXPECT_LT((whole - sum).norm(), 1e-12 * whole.norm());
}

TEST(Network, StartsWithActivationsOfOneSize) {
  Random random(13);
  const Net net(std::vector<Index>{400, 300, 200, 100}, random);
  Net::Tape tape;
  const Net::Matrix& output = net.forward(random_matrix(200, 400, random), tape);
  // He's variances keep the mean square through each ReLU; the output layer halves it.
  EXPECT_NEAR(tape.outputs[0].squaredNorm() / static_cast<double>(tape.outputs[0].size()), 1, 0.1);
  EXPECT_NEAR(tape.outputs[1].squaredNorm() / static_cast<double>(tape.outputs[1].size()), 1, 0.15);
  EXPECT_NEAR(output.squaredNorm() / static_cast<double>(output.size()), 1, 0.3);
  EXPECT_GE(tape.outputs[0].minCoeff(), 0);
  EXPECT_LT(output.minCoeff(), 0);
}

TEST(Network, RefusesImpossibleWidths) {
  Random random(14);
  using Widths = std::vector<Index>;
  EXPECT_THROW(Net(Widths{5}, random), std::invalid_argument);
  EXPECT_THROW(Net(Widths{5, 0, 2}, random), std::invalid_argument);
  const Layer layer{.input = {5, 4, 2}, .outputs = 3, .kernel = 3};
  EXPECT_THROW(Net(std::vector<Layer>{layer, layer}, random), std::invalid_argument);
  EXPECT_THROW(Net({{.input = {2, 2, 1}, .outputs = 3, .kernel = 3}}, random),
               std::invalid_argument);
}

TEST(Adam, FollowsItsFormula) {
  Eigen::VectorXd x(2);
  x << 1.0, -2.0;
  Eigen::VectorXd expected = x;
  Adam<double> adam(2, {.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .weight_decay = 0.1});
  Eigen::VectorXd m = Eigen::VectorXd::Zero(2);
  Eigen::VectorXd v = Eigen::VectorXd::Zero(2);
  for (int t = 1; t <= 5; ++t) {
    Eigen::VectorXd gradient(2);
    gradient << 0.5 * t, -3.0 / t;
    const double rate = 0.1 / t;
    for (Index i = 0; i < 2; ++i) {
      m[i] = 0.8 * m[i] + 0.2 * gradient[i];
      v[i] = 0.9 * v[i] + 0.1 * gradient[i] * gradient[i];
      const double mean = m[i] / (1 - std::pow(0.8, t));
      const double square = v[i] / (1 - std::pow(0.9, t));
      expected[i] -= rate * (mean / (std::sqrt(square) + 1e-3) + 0.1 * expected[i]);
    }
    adam.step(x, gradient, rate);
    EXPECT_NEAR((x - expected).norm(), 0, 1e-14) << t;
  }
}

TEST(Adam, FindsTheBottomOfABowl) {
  Eigen::VectorXf x(3);
  x << 4, -3, 2;
  Adam<float> adam(3);
  for (int t = 0; t < 2000; ++t) {
    const Eigen::VectorXf gradient = x - Eigen::VectorXf::Constant(3, 1);
    adam.step(x, gradient, 0.01);
  }
  EXPECT_LT((x - Eigen::VectorXf::Constant(3, 1)).norm(), 1e-2f);
}

}  // namespace
}  // namespace example_test
