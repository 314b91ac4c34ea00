#include "common/row_adagrad.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "common/random.hpp"

namespace example_test {
namespace {

using Eigen::Index;

template <class S>
class RowAdagrad : public testing::Test {};

using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(RowAdagrad, Scalars);

/// Number by number, with the gradients of a repeated row added up first.
TYPED_TEST(RowAdagrad, AgreesWithAPlainLoop) {
  using S = TypeParam;
  using Matrix = typename example::RowAdagrad<S>::Matrix;
  example::Random random(51);
  const auto random_rows = [&](Index rows, Index cols) {
    Matrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<S>(random.normal());
    return m;
  };
  constexpr Index rows = 6;
  constexpr Index cols = 5;
  constexpr Index moved = 4;  // the last column has no gradient
  Matrix table = random_rows(rows, cols);
  std::vector<long double> want(table.data(), table.data() + table.size());
  std::vector<long double> squares(want.size(), 1);
  example::RowAdagrad<S> adagrad(rows, moved);
  const std::vector<std::vector<Index>> steps = {{3, 0, 3, 5}, {1}, {0, 0, 0, 3}, {}};
  for (const std::vector<Index>& which : steps) {
    const Matrix gradients = random_rows(static_cast<Index>(which.size()), moved);
    for (Index row = 0; row < rows; ++row) {
      for (Index c = 0; c < moved; ++c) {
        long double sum = 0;
        for (std::size_t k = 0; k < which.size(); ++k) {
          if (which[k] == row) sum += gradients(static_cast<Index>(k), c);
        }
        const auto at = static_cast<std::size_t>(row * cols + c);
        squares[at] += sum * sum;
        want[at] -= 0.3L * sum / std::sqrt(squares[at]);
      }
    }
    adagrad.step(table, which, gradients, 0.3);
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_NEAR(table.data()[i], static_cast<double>(want[i]), sizeof(S) == 4 ? 1e-6 : 1e-14);
    }
  }
}

}  // namespace
}  // namespace example_test
