#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/engine/common_centre.hpp>

#include "support/random.hpp"

namespace {

using namespace nearfar;
using nearfar::detail::CommonCentre;
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
class CentreOf : public testing::Test {
 protected:
  static S centre(const Matrix<S>& x) {
    Workspace workspace;
    Scratch scratch(&workspace);
    CommonCentre<S> centre(scratch, x.cols());
    const Matrix<S> first = x.topRows(x.rows() / 2);
    const Matrix<S> others = x.bottomRows(x.rows() - x.rows() / 2);
    centre.add(first, 2);
    centre.add(others, 2);
    return centre.point(x.rows())[0];
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(CentreOf, Scalars);

TYPED_TEST(CentreOf, IntegersIsAnInteger) {
  Matrix<TypeParam> x(4, 1);
  x << -2, 1, 0, 7;
  EXPECT_EQ(this->centre(x), 2);  // for a mean of 1.5
}

TYPED_TEST(CentreOf, QuartersFarFromTheOriginIsAQuarter) {
  Matrix<TypeParam> x(3, 1);
  x << TypeParam(5000.25), TypeParam(5001.5), TypeParam(5002);
  EXPECT_EQ(this->centre(x), TypeParam(5001.25));
}

TYPED_TEST(CentreOf, OtherRowsIsTheirMean) {
  const Matrix<TypeParam> x = support::random_rows<TypeParam>(40, 5, 3);
  double sum = 0;
  for (Index i = 0; i < x.rows(); ++i) sum += static_cast<double>(x(i, 0));
  EXPECT_EQ(this->centre(x), static_cast<TypeParam>(sum / 40));
}

TYPED_TEST(CentreOf, OneColumnOffTheLatticeIsTheMeanInAll) {
  Matrix<TypeParam> x(3, 2);
  x << 1, TypeParam(0.1), 2, TypeParam(0.2), 4, TypeParam(0.7);
  EXPECT_EQ(this->centre(x), static_cast<TypeParam>(7.0 / 3));
}

TYPED_TEST(CentreOf, ZerosIsZero) { EXPECT_EQ(this->centre(Matrix<TypeParam>::Zero(3, 1)), 0); }

TYPED_TEST(CentreOf, SumsThatOverflowIsFinite) {
  const auto most = std::numeric_limits<TypeParam>::max();
  EXPECT_TRUE(std::isfinite(this->centre(Matrix<TypeParam>::Constant(4, 1, most))));
}

}  // namespace
