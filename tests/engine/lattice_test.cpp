#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/engine/lattice.hpp>

#include "support/random.hpp"

namespace {

using namespace nearfar;
using nearfar::detail::Lattice;
using nearfar::detail::lowest_bit;
using nearfar::detail::Scratch;

TEST(LowestBit, IsTheLargestPowerOfTwoThatDivides) {
  EXPECT_EQ(lowest_bit(1), 1);
  EXPECT_EQ(lowest_bit(-1), 1);
  EXPECT_EQ(lowest_bit(12), 4);
  EXPECT_EQ(lowest_bit(0.75), 0.25);
  EXPECT_EQ(lowest_bit(-1024), 1024);
  EXPECT_EQ(lowest_bit(1 + 0x1p-52), 0x1p-52);
  EXPECT_EQ(lowest_bit(std::numeric_limits<double>::min()), std::numeric_limits<double>::min());
  EXPECT_EQ(lowest_bit(std::numeric_limits<double>::denorm_min() * 6),
            std::numeric_limits<double>::denorm_min() * 2);
  EXPECT_EQ(lowest_bit(std::numeric_limits<double>::max()), 0x1p971);
}

template <class S>
class LatticeOf : public testing::Test {
 protected:
  static S nearest(const Matrix<S>& x, double v) {
    Workspace workspace;
    Scratch scratch(&workspace);
    Lattice<S> lattice(scratch, x.cols());
    lattice.add(x.topRows(x.rows() / 2), 2);
    lattice.add(x.bottomRows(x.rows() - x.rows() / 2), 2);
    return lattice.nearest(0, v);
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(LatticeOf, Scalars);

TYPED_TEST(LatticeOf, IntegersHasIntegers) {
  Matrix<TypeParam> x(4, 1);
  x << -2, 1, 0, 7;
  EXPECT_EQ(this->nearest(x, 1.4), 1);
  EXPECT_EQ(this->nearest(x, 1.6), 2);
}

TYPED_TEST(LatticeOf, QuartersFarFromTheOriginHasQuarters) {
  Matrix<TypeParam> x(3, 1);
  x << TypeParam(5000.25), TypeParam(5001.5), TypeParam(5002);
  EXPECT_EQ(this->nearest(x, 5001.3), TypeParam(5001.25));
}

TYPED_TEST(LatticeOf, EqualRowsIsTheRow) {
  const Matrix<TypeParam> x = Matrix<TypeParam>::Constant(3, 1, TypeParam(0.1));
  EXPECT_EQ(this->nearest(x, 0.1), TypeParam(0.1));
}

TYPED_TEST(LatticeOf, RandomRowsIsNone) {
  const Matrix<TypeParam> x = support::random_rows<TypeParam>(40, 5, 3);
  EXPECT_EQ(this->nearest(x, 0.123), TypeParam(0.123));
}

TYPED_TEST(LatticeOf, ZerosIsNone) {
  const Matrix<TypeParam> x = Matrix<TypeParam>::Zero(3, 1);
  EXPECT_EQ(this->nearest(x, 0), 0);
}

}  // namespace
