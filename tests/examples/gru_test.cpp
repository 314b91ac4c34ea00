#include "common/gru.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "common/parallel.hpp"

namespace example_test {
namespace {

using Eigen::Index;
using example::Gru;
using example::GruPass;
using example::Pixels;
using example::Random;
using Unit = Gru<double>;

template <class S>
typename Gru<S>::Matrix random_matrix(Index rows, Index cols, Random& random) {
  typename Gru<S>::Matrix m(rows, cols);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<S>(random.normal());
  return m;
}

/// A unit with biases away from their initial value, so that a wrong gradient shows.
Unit random_unit(Index inputs, Index size, Random& random) {
  Unit unit(inputs, size, random);
  for (Index i = 0; i < unit.parameters().size(); ++i) {
    unit.parameters()[i] += 0.3 * random.normal();
  }
  return unit;
}

TEST(Gru, EqualsTheFormula) {
  Random random(21);
  constexpr Index inputs = 3;
  constexpr Index size = 2;
  constexpr Index length = 4;
  const Unit unit = random_unit(inputs, size, random);
  const Unit::Matrix input = random_matrix<double>(2 * length, inputs, random);
  Unit::Tape tape;
  const Unit::Matrix& states = unit.forward(input, length, tape);
  ASSERT_EQ(states.rows(), 2 * length);
  ASSERT_EQ(states.cols(), size);
  const double* w = unit.parameters().data();
  const double* u = w + inputs * 3 * size;
  const double* b = u + size * 3 * size;
  const double* c = b + 3 * size;
  const auto sigma = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (Index sequence = 0; sequence < 2; ++sequence) {
    std::vector<double> h(size, 0.0);
    for (Index t = 0; t < length; ++t) {
      const Index row = sequence * length + t;
      std::vector<double> next(size);
      for (Index j = 0; j < size; ++j) {
        double from_x[3];
        double from_h[3];
        for (Index gate = 0; gate < 3; ++gate) {
          const Index col = gate * size + j;
          from_x[gate] = b[col];
          from_h[gate] = gate == 2 ? c[j] : 0;
          for (Index k = 0; k < inputs; ++k) from_x[gate] += input(row, k) * w[k * 3 * size + col];
          for (Index k = 0; k < size; ++k) {
            from_h[gate] += h[static_cast<std::size_t>(k)] * u[k * 3 * size + col];
          }
        }
        const double r = sigma(from_x[0] + from_h[0]);
        const double keep = sigma(from_x[1] + from_h[1]);
        const double fresh = std::tanh(from_x[2] + r * from_h[2]);
        const auto at = static_cast<std::size_t>(j);
        next[at] = (1 - keep) * fresh + keep * h[at];
        EXPECT_NEAR(states(row, j), next[at], 1e-12) << row << ", " << j;
      }
      h = next;
    }
  }
}

/// backward() against central differences of forward(), for each parameter and input.
TEST(Gru, GradientIsThatOfTheForwardPass) {
  for (const Index length : {1, 2, 5}) {
    Random random(22);
    Unit unit = random_unit(4, 3, random);
    Unit::Matrix input = random_matrix<double>(3 * length, 4, random);
    const Unit::Matrix weights = random_matrix<double>(3 * length, 3, random);
    const auto weighed = [&] {
      Unit::Tape tape;
      return unit.forward(input, length, tape).cwiseProduct(weights).sum();
    };
    Unit::Tape tape;
    unit.forward(input, length, tape);
    Unit::Vector d_parameters;
    Unit::Matrix d_input;
    unit.backward(input, length, tape, weights, d_parameters, d_input);
    ASSERT_EQ(d_parameters.size(), unit.parameters().size());
    ASSERT_EQ(d_input.size(), input.size());
    const auto expect_slope = [&](double& at, double claimed) {
      constexpr double h = 1e-5;
      const double before = at;
      at = before + h;
      const double above = weighed();
      at = before - h;
      const double below = weighed();
      at = before;
      EXPECT_NEAR(claimed, (above - below) / (2 * h), 1e-8);
    };
    for (Index i = 0; i < d_parameters.size(); ++i) {
      expect_slope(unit.parameters()[i], d_parameters[i]);
    }
    for (Index i = 0; i < input.size(); ++i) expect_slope(input.data()[i], d_input.data()[i]);
    EXPECT_GT(d_parameters.norm(), 0.1);
    EXPECT_GT(d_input.norm(), 0.1);
  }
}

TEST(Gru, DoesNotDependOnLaterSteps) {
  Random random(23);
  const Unit unit = random_unit(4, 3, random);
  Unit::Matrix input = random_matrix<double>(6, 4, random);
  Unit::Tape tape;
  const Unit::Matrix before = unit.forward(input, 6, tape);
  input.row(3).setConstant(5);
  const Unit::Matrix& after = unit.forward(input, 6, tape);
  EXPECT_EQ(after.topRows(3), before.topRows(3));
  for (Index t = 3; t < 6; ++t) EXPECT_GT((after.row(t) - before.row(t)).norm(), 1e-3) << t;
}

TEST(Gru, RefusesImpossibleSizes) {
  Random random(24);
  EXPECT_THROW(Unit(0, 3, random), std::invalid_argument);
  EXPECT_THROW(Unit(3, 0, random), std::invalid_argument);
}

/// Sequences for several shards, the last one not full.
TEST(GruPass, IsTheUnitWithAnyNumberOfThreads) {
  Random random(25);
  constexpr Index length = 5;
  constexpr Index rows = 53 * length;
  const Gru<float> unit(4, 6, random);
  const Pixels input = random_matrix<float>(rows, 4, random);
  const Pixels d_states = random_matrix<float>(rows, 6, random);
  const Pixels d_before = random_matrix<float>(rows, 4, random);
  Gru<float>::Tape tape;
  const Pixels states = unit.forward(input, length, tape);
  Gru<float>::Vector whole;
  Pixels d_input;
  unit.backward(input, length, tape, d_states, whole, d_input);

  Gru<float>::Vector alone;
  for (const int threads : {1, 2, 3}) {
    example::use_threads(threads);
    GruPass pass(unit);
    EXPECT_LT((pass.forward(input, length) - states).norm(), 1e-5f * states.norm());
    Pixels added = d_before;
    const Gru<float>::Vector& sum = pass.backward(d_states, added);
    EXPECT_LT((sum - whole).norm(), 1e-5f * whole.norm());
    EXPECT_LT((added - d_before - d_input).norm(), 1e-5f * d_input.norm());
    if (threads == 1) alone = sum;
    EXPECT_EQ(sum, alone) << threads << " threads";
  }
}

}  // namespace
}  // namespace example_test
