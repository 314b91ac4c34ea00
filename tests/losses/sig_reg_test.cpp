#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nearfar/losses/sig_reg.hpp>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/plain_loss.hpp"
#include "support/structured_definitions.hpp"

/// SigReg against its definition in long double, and its options.

namespace {

using namespace support;

template <class S>
class SigRegOf : public testing::Test {};
TYPED_TEST_SUITE(SigRegOf, Scalars, CaseNames);

template <class S>
nearfar::Result expect_plain(const Matrix<S>& x, const Matrix<S>& slices,
                             const nearfar::SigRegOptions& options) {
  const nearfar::SigReg<S> loss(options);
  return expect_plain_loss<S>(
      [&](const auto& rows, auto& g) {
        const auto result = loss.forward_backward(rows[0], rows[1], g[0]);
        EXPECT_EQ(result.value, loss.forward(rows[0], rows[1]).value);
        return result;
      },
      [&](const Sets& rows) {
        return oracle::sig_reg(options, oracle::constants(rows[0]), oracle::constants(rows[1]))
            .value;
      },
      {x, slices}, 1);
}

TYPED_TEST(SigRegOf, EqualsTheFormula) {
  using S = TypeParam;
  for (const auto& [n, d, m] : {std::array<Index, 3>{1, 3, 2}, {3, 1, 1}, {8, 5, 6}, {30, 7, 20}}) {
    SCOPED_TRACE(n);
    const Matrix<S> x = random_rows<S>(n, d, 1) * S(1.5);
    Matrix<S> slices = random_rows<S>(m, d, 2);
    slices.rowwise().normalize();
    expect_plain<S>(x, slices, {});
    expect_plain<S>(x, slices, {.knots = 2, .t_max = 1.5});
    expect_plain<S>(x, slices, {.knots = 33, .t_max = 5});
  }
}

/// More rows than a tile is wide, and no whole number of parts.
TYPED_TEST(SigRegOf, ManyRows) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(405, 3, 3);
  const Matrix<S> slices = random_rows<S>(2, 3, 4);
  expect_plain<S>(x, slices, {});
}

TYPED_TEST(SigRegOf, WithoutRowsOrSlicesTheValueIsZero) {
  using S = TypeParam;
  for (const auto& [n, m] : {std::pair<Index, Index>(0, 3), {3, 0}}) {
    Matrix<S> dx;
    const auto got =
        nearfar::SigReg<S>().forward_backward(random_rows<S>(n, 4, 5), random_rows<S>(m, 4, 6), dx);
    EXPECT_EQ(got.value, 0);
    EXPECT_EQ(dx, (Matrix<S>::Zero(n, 4)));
  }
}

TEST(SigReg, RefusesOptionsThatAreNone) {
  EXPECT_THROW(nearfar::SigReg<float>({.knots = 1}), std::invalid_argument);
  for (const double bad : {0.0, -1.0, not_a_number, infinite}) {
    EXPECT_THROW(nearfar::SigReg<float>({.t_max = bad}), std::invalid_argument);
  }
}

TEST(SigReg, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::SigRegOptions().knots, 17);
  EXPECT_EQ(nearfar::SigRegOptions().t_max, 3);
}

}  // namespace
