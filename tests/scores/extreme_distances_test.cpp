#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/mahalanobis.hpp>
#include <nearfar/losses/linear_contrastive.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/triplet.hpp>
#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>
#include <vector>

/// Distances in the range of the scalar type whose squares overflow.

namespace {

using nearfar::Index;
using nearfar::Matrix;

template <class S>
class ExtremeDistances : public testing::Test {
 protected:
  static constexpr bool is_float = sizeof(S) == sizeof(float);
  static std::vector<S> sizes() {
    if (is_float) return {S(1e20), S(1e37), S(1e-23), S(1e-30)};
    return {S(1e200), S(1e307), S(1e-180), S(1e-300)};
  }
  static Matrix<S> rows(S size) {
    Matrix<S> x(4, 2);
    x << size, 0, -size, 0, size, size, 0, -2 * size;
    return x;
  }
  static double unit_distance(Index i, Index j) {
    const Matrix<S> x = rows(S(1));
    return std::sqrt(static_cast<double>((x.row(i) - x.row(j)).squaredNorm()));
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ExtremeDistances, Scalars);

TYPED_TEST(ExtremeDistances, KeepTheirDigits) {
  using S = TypeParam;
  const double relative = this->is_float ? 1e-6 : 1e-14;
  for (const S size : this->sizes()) {
    const Matrix<S> x = this->rows(size);
    const Matrix<S> all = nearfar::pairwise(x, x, nearfar::Euclidean());
    const Matrix<S> reversed = x.colwise().reverse();
    const auto paired = nearfar::paired(x, reversed, nearfar::Euclidean());
    for (Index i = 0; i < 4; ++i) {
      for (Index j = 0; j < 4; ++j) {
        const double wanted = this->unit_distance(i, j);
        EXPECT_NEAR(static_cast<double>(all(i, j) / size), wanted, relative * wanted) << size;
        if (j == 3 - i) {
          EXPECT_NEAR(static_cast<double>(paired(i) / size), wanted, relative * wanted) << size;
        }
      }
    }
  }
}

TYPED_TEST(ExtremeDistances, HaveGradientsOfLengthOne) {
  using S = TypeParam;
  for (const S size : this->sizes()) {
    Matrix<S> x(2, 1);
    x << size, -size;
    Matrix<S> dx;
    const nearfar::LinearContrastive<S, nearfar::Euclidean> loss(
        {.positive_margin = 0, .reduction = nearfar::Reduction::sum});
    const auto result = loss.forward_backward(x, std::vector<int>{0, 0}, dx);
    EXPECT_NEAR(result.value / static_cast<double>(size), 4, 1e-5);  // as two ordered pairs
    EXPECT_NEAR(static_cast<double>(dx(0)), 2, 1e-5) << size;
    EXPECT_NEAR(static_cast<double>(dx(1)), -2, 1e-5) << size;
  }
}

TYPED_TEST(ExtremeDistances, AreThoseOfTriplets) {
  using S = TypeParam;
  for (const S size : this->sizes()) {
    const Matrix<S> anchor = Matrix<S>::Constant(1, 1, size);
    const Matrix<S> positive = Matrix<S>::Constant(1, 1, -size);
    Matrix<S> da, dp, dn;
    const nearfar::Triplet<S, nearfar::Euclidean> loss({.margin = 0});
    const auto result = loss.forward_backward(anchor, positive, anchor, da, dp, dn);
    EXPECT_NEAR(result.value / static_cast<double>(size), 2, 1e-5);
    EXPECT_NEAR(static_cast<double>(da(0)), 1, 1e-5) << size;
    EXPECT_NEAR(static_cast<double>(dp(0)), -1, 1e-5) << size;
  }
}

TYPED_TEST(ExtremeDistances, BeyondTheScalarTypeAreAnError) {
  using S = TypeParam;
  Matrix<S> x(2, 3);
  x.row(0).setConstant(std::numeric_limits<S>::max() / 2);
  x.row(1) = -x.row(0);
  Matrix<S> dx = Matrix<S>::Constant(2, 3, S(7));
  const nearfar::LinearContrastive<S, nearfar::Euclidean> loss;
  EXPECT_THROW(loss.forward_backward(x, std::vector<int>{0, 0}, dx), std::domain_error);
  EXPECT_TRUE((dx.array() == S(7)).all());
  EXPECT_THROW(nearfar::pairwise(x, x, nearfar::Euclidean()), std::domain_error);
  const Matrix<S> y = -x;
  EXPECT_THROW(nearfar::paired(x, y, nearfar::Euclidean()), std::domain_error);
  const nearfar::MinedTriplet<S, nearfar::Euclidean> mined;
  EXPECT_THROW(mined.forward(x, std::vector<int>{0, 0}), std::domain_error);
}

}  // namespace
