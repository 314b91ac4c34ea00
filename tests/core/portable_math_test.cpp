#include "nearfar/core/portable_math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

namespace nearfar::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The error in units in the last place of the exact result.
double error_in_units(double got, long double exact) {
  const auto rounded = static_cast<double>(exact);
  if (got == rounded || (std::isnan(got) && std::isnan(rounded))) return 0;
  const double unit = std::nextafter(std::abs(rounded), infinity) - std::abs(rounded);
  return static_cast<double>(std::abs(got - exact) / static_cast<long double>(unit));
}

using InDouble = double (*)(double);
using InLongDouble = long double (*)(long double);

// The largest error at the points of `draw`.
double largest_error(InDouble function, InLongDouble exact, const std::function<double()>& draw) {
  double largest = 0;
  for (int i = 0; i < 200'000; ++i) {
    const double x = draw();
    largest = std::max(largest, error_in_units(function(x), exact(x)));
  }
  return largest;
}

class PortableMath : public ::testing::Test {
 protected:
  // Uniform numbers, and numbers of a uniform exponent and both signs.
  std::function<double()> uniform(double low, double high) {
    return [this, d = std::uniform_real_distribution<double>(low, high)]() mutable {
      return d(random_);
    };
  }
  std::function<double()> of_exponents(double low, double high, bool both_signs) {
    return [this, both_signs, d = std::uniform_real_distribution<double>(low, high)]() mutable {
      const double size = std::exp2(d(random_));
      return both_signs && (random_() & 1) != 0 ? -size : size;
    };
  }

 private:
  std::mt19937_64 random_{17};
};

TEST_F(PortableMath, ExpIsWithinOneUnit) {
  EXPECT_LT(largest_error(portable::exp, std::exp, uniform(-700, 709)), 1);
  EXPECT_LT(largest_error(portable::exp, std::exp, uniform(-1, 1)), 1);
  EXPECT_LT(largest_error(portable::exp, std::exp, of_exponents(-60, 9, true)), 1);
  // Results below the smallest normal number have fewer digits, each rounded once.
  EXPECT_LT(largest_error(portable::exp, std::exp, uniform(-746, -708)), 1);
}

TEST_F(PortableMath, PowersOfTwoAreWithinOneUnitAndExactForIntegers) {
  EXPECT_LT(largest_error(portable::exp2, std::exp2, uniform(-1075, 1024)), 1);
  for (int k = -1074; k < 1024; ++k) ASSERT_EQ(portable::exp2(k), std::ldexp(1.0, k)) << k;
}

TEST_F(PortableMath, Expm1IsWithinTwoUnits) {
  EXPECT_LT(largest_error(portable::expm1, std::expm1, uniform(-40, 709)), 2);
  EXPECT_LT(largest_error(portable::expm1, std::expm1, uniform(-2, 2)), 2);
  EXPECT_LT(largest_error(portable::expm1, std::expm1, of_exponents(-1000, 6, true)), 2);
}

TEST_F(PortableMath, LogIsWithinOneUnit) {
  EXPECT_LT(largest_error(portable::log, std::log, of_exponents(-1074, 1023, false)), 1);
  EXPECT_LT(largest_error(portable::log, std::log, uniform(0.4, 3)), 1);
  EXPECT_LT(largest_error(portable::log, std::log, uniform(1 - 1e-6, 1 + 1e-6)), 1);
}

TEST_F(PortableMath, LogToBaseTwoIsWithinTwoUnitsAndExactForPowersOfTwo) {
  EXPECT_LT(largest_error(portable::log2, std::log2, of_exponents(-1022, 1023, false)), 2);
  EXPECT_LT(largest_error(portable::log2, std::log2, uniform(0.75, 1.4)), 2);
  EXPECT_LT(largest_error(portable::log2, std::log2, of_exponents(-1074, -1022, false)), 2);
  for (int k = -1022; k < 1024; ++k) ASSERT_EQ(portable::log2(std::ldexp(1.0, k)), k) << k;
}

TEST_F(PortableMath, Log1pIsWithinOneUnit) {
  EXPECT_LT(largest_error(portable::log1p, std::log1p, of_exponents(-1000, 1023, false)), 1);
  EXPECT_LT(largest_error(portable::log1p, std::log1p, uniform(-1, 3)), 1);
  // 1 + x is not exact.
  EXPECT_LT(largest_error(portable::log1p, std::log1p, uniform(-0.5, -0.25)), 1);
  EXPECT_LT(largest_error(portable::log1p, std::log1p, uniform(-1e-3, 1e-3)), 1);
}

TEST_F(PortableMath, SineAndCosineAreWithinThreeUnits) {
  for (const double range : {0.7, 4.0, 1e3, 5e5}) {
    EXPECT_LT(largest_error(portable::sin, std::sin, uniform(-range, range)), 3) << range;
    EXPECT_LT(largest_error(portable::cos, std::cos, uniform(-range, range)), 3) << range;
  }
  EXPECT_LT(largest_error(portable::sin, std::sin, of_exponents(-1000, 19, true)), 3);
  EXPECT_EQ(portable::sin(0), 0);
  EXPECT_EQ(portable::cos(0), 1);
  EXPECT_EQ(portable::sin(1e22), std::sin(1e22));
  EXPECT_EQ(portable::cos(1e22), std::cos(1e22));
}

TEST_F(PortableMath, HypotIsWithinTwoUnitsAndDoesNotOverflow) {
  const auto draw = of_exponents(-1000, 1000, true);
  for (int i = 0; i < 100'000; ++i) {
    const double a = draw();
    const double b = a * draw();
    if (!(std::abs(b) < 1e300)) continue;
    const long double exact = std::hypot(static_cast<long double>(a), static_cast<long double>(b));
    ASSERT_LT(error_in_units(portable::hypot(a, b), exact), 2) << a << ' ' << b;
    ASSERT_LT(
        error_in_units(portable::hypot(a, a / 3),
                       std::hypot(static_cast<long double>(a), static_cast<long double>(a / 3))),
        2);
  }
  EXPECT_EQ(portable::hypot(0, 0), 0);
  EXPECT_EQ(portable::hypot(infinity, -1), infinity);
  EXPECT_EQ(portable::hypot(infinity, -infinity), infinity);
}

TEST_F(PortableMath, ExtremeArgumentsHaveTheirLimits) {
  EXPECT_EQ(portable::exp(-infinity), 0);
  EXPECT_EQ(portable::exp(infinity), infinity);
  EXPECT_EQ(portable::exp(0), 1);
  EXPECT_EQ(portable::exp(1e300), infinity);
  EXPECT_EQ(portable::exp2(-infinity), 0);
  EXPECT_EQ(portable::exp2(infinity), infinity);
  EXPECT_EQ(portable::expm1(-infinity), -1);
  EXPECT_EQ(portable::expm1(infinity), infinity);
  EXPECT_EQ(portable::expm1(0), 0);
  EXPECT_EQ(portable::log(0), -infinity);
  EXPECT_EQ(portable::log(infinity), infinity);
  EXPECT_EQ(portable::log(1), 0);
  EXPECT_EQ(portable::log2(0), -infinity);
  EXPECT_EQ(portable::log2(infinity), infinity);
  EXPECT_EQ(portable::log1p(0), 0);
  EXPECT_EQ(portable::log1p(-1), -infinity);
  EXPECT_EQ(portable::log1p(infinity), infinity);
  for (const InDouble function : {portable::exp, portable::exp2, portable::expm1, portable::log,
                                  portable::log2, portable::log1p}) {
    EXPECT_TRUE(std::isnan(function(std::numeric_limits<double>::quiet_NaN())));
  }
  for (const InDouble function : {portable::log, portable::log2}) {
    EXPECT_TRUE(std::isnan(function(-1)));
  }
  EXPECT_TRUE(std::isnan(portable::log1p(-2)));
}

}  // namespace
}  // namespace nearfar::detail
