#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

/// \file
/// Elementary functions of double numbers whose results have the same bits on every machine. Those
/// of the C library differ in the last digit from version to version, and from processor to
/// processor. Errors are below one unit in the last place; below two for expm1, hypot and
/// log2, three for sin and cos.

namespace nearfar::detail::portable {

/// ln 2 in two parts: integers below 2^11 times the first are exact.
inline constexpr double ln2_high = 0x1.62e42fefa38p-1;
inline constexpr double ln2_low = 0x1.ef35793c7673p-45;
inline constexpr double log2_of_e = 0x1.71547652b82fep0;

/// 2^k for a normal number.
inline double power_of_two(int k) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}

/// v 2^k, rounded once, for v near 1: 2^k itself may overflow or underflow.
inline double times_power_of_two(double v, int k) {
  return v * power_of_two(k / 2) * power_of_two(k - k / 2);
}

/// The nearest integer to a number whose size is below 2^30.
inline int nearest(double x) { return static_cast<int>(x < 0 ? x - 0.5 : x + 0.5); }

/// e^r - 1 for |r| <= ln 2 / 2, by Taylor's series, in an order with short chains.
inline double expm1_of_rest(double r) {
  const double r2 = r * r;
  const double r4 = r2 * r2;
  const double first = (1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120));
  const double second = (1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880));
  const double third =
      (1.0 / 3628800 + r * (1.0 / 39916800)) + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800.0));
  return r + r2 * (first + r4 * (second + r4 * third));
}

/// x - k ln 2.
inline double rest_of(double x, int k) { return (x - k * ln2_high) - k * ln2_low; }

/// e^x.
inline double exp(double x) {
  if (std::isnan(x)) return x;
  const double within = x < -746 ? -746 : x > 710 ? 710 : x;
  const int k = nearest(within * log2_of_e);
  return times_power_of_two(1 + expm1_of_rest(rest_of(within, k)), k);
}

/// 2^x, exact for integers.
inline double exp2(double x) {
  if (std::isnan(x)) return x;
  const double within = x < -1076 ? -1076 : x > 1025 ? 1025 : x;
  const int k = nearest(within);
  return times_power_of_two(1 + expm1_of_rest((within - k) * (ln2_high + ln2_low)), k);
}

/// e^x - 1, to full precision for x near 0.
inline double expm1(double x) {
  if (std::isnan(x)) return x;
  if (x < -38) return -1;
  if (x > 38) return exp(x) - 1;
  const int k = nearest(x * log2_of_e);
  const double rest = expm1_of_rest(rest_of(x, k));
  if (k == 0) return rest;
  const double power = power_of_two(k);
  return power * rest + (power - 1);
}

/// k ln 2 + log(1 + f) + low for 1 + f in [1/sqrt(2), sqrt(2)] and `low` far smaller than the rest.
/// With s = f / (2 + f), log(1 + f) is log((1 + s) / (1 - s)), an odd function of s, by its series;
/// f - s (f - ..) rounds less than s (2 + ..), because s (f - ..) is small.
inline double log_of_parts(int k, double f, double low) {
  const double s = f / (2 + f);
  const double z = s * s;
  const double z2 = z * z;
  const double z4 = z2 * z2;
  const double first = (2.0 / 3 + z * (2.0 / 5)) + z2 * (2.0 / 7 + z * (2.0 / 9));
  const double second = (2.0 / 11 + z * (2.0 / 13)) + z2 * (2.0 / 15 + z * (2.0 / 17));
  const double third = 2.0 / 19 + z * (2.0 / 21);
  const double series = z * (first + z4 * (second + z4 * third));
  return k * ln2_high + (f - (s * (f - series) - (k * ln2_low + low)));
}

/// 2^exponent (1 + f) = x, a positive normal number, 1 + f in [1/sqrt(2), sqrt(2)].
struct Parts {
  explicit Parts(double x) {
    const auto bits = std::bit_cast<std::uint64_t>(x);
    exponent = static_cast<int>(bits >> 52) - 1023;
    double mantissa =
        std::bit_cast<double>((bits & 0xfffffffffffff) | std::bit_cast<std::uint64_t>(1.0));
    if (mantissa > 0x1.6a09e667f3bcdp0) {
      mantissa /= 2;
      ++exponent;
    }
    f = mantissa - 1;
  }

  int exponent;
  double f;
};

/// log(x): -infinity for 0, NaN below.
inline double log(double x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (!(x > 0)) return x == 0 ? -infinity : std::numeric_limits<double>::quiet_NaN();
  if (!(x < infinity)) return x;
  const bool small = x < std::numeric_limits<double>::min();
  const Parts parts(small ? x * 0x1p54 : x);
  return log_of_parts(parts.exponent - (small ? 54 : 0), parts.f, 0);
}

/// The logarithm of x to the base 2, exact for powers of two.
inline double log2(double x) {
  if (!(x >= std::numeric_limits<double>::min()) ||
      !(x < std::numeric_limits<double>::infinity())) {
    return log(x) * log2_of_e;
  }
  const Parts parts(x);
  return parts.exponent + log_of_parts(0, parts.f, 0) * log2_of_e;
}

/// log(1 + x), to full precision for x near 0: -infinity for -1, NaN below.
inline double log1p(double x) {
  if (x > -0.29 && x < 0.41) return log_of_parts(0, x, 0);
  const double sum = 1 + x;
  if (!(sum > 0) || !(sum < std::numeric_limits<double>::infinity())) return log(sum);
  const double lost = x < 1 ? x - (sum - 1) : 1 - (sum - x);
  const Parts parts(sum);
  return log_of_parts(parts.exponent, parts.f, lost / sum);
}

/// sqrt(a^2 + b^2) without overflow of the squares.
inline double hypot(double a, double b) {
  const double high = std::max(std::abs(a), std::abs(b));
  const double low = std::min(std::abs(a), std::abs(b));
  if (!(high > 0) || !(high < std::numeric_limits<double>::infinity())) return high + low;
  const double ratio = low / high;
  return high * std::sqrt(1 + ratio * ratio);
}

/// A quarter turn in three parts: integers below 2^20 times each of the first two are exact.
inline constexpr double quarter_turn[] = {0x1.921fb544p0, 0x4.2d184698p-36, 0x9.8cc51701b839ap-72};

/// Beyond this size angles are reduced by the C library.
inline constexpr double largest_angle = 0x1p19;

/// The sine and the cosine of an angle r, |r| <= pi / 4, by their series.
inline double sine_of_rest(double r) {
  const double z = r * r;
  const double z2 = z * z;
  const double first = (-1.0 / 6 + z * (1.0 / 120)) + z2 * (-1.0 / 5040 + z * (1.0 / 362880));
  const double second = (-1.0 / 39916800 + z * (1.0 / 6227020800.0)) +
                        z2 * (-1.0 / 1307674368000.0 + z * (1.0 / 355687428096000.0));
  return r + r * z * (first + z2 * z2 * second);
}
inline double cosine_of_rest(double r) {
  const double z = r * r;
  const double z2 = z * z;
  const double first = (1.0 / 24 + z * (-1.0 / 720)) + z2 * (1.0 / 40320 + z * (-1.0 / 3628800));
  const double second = (1.0 / 479001600 + z * (-1.0 / 87178291200.0)) +
                        z2 * (1.0 / 20922789888000.0 + z * (-1.0 / 6402373705728000.0));
  return 1 - (z / 2 - z2 * (first + z2 * z2 * second));
}

/// The sine of an angle `quarters` quarter turns ahead of x.
inline double sine_ahead(double x, int quarters) {
  const int k = nearest(x / (quarter_turn[0] + quarter_turn[1]));
  const double r = ((x - k * quarter_turn[0]) - k * quarter_turn[1]) - k * quarter_turn[2];
  const int turned = (k + quarters) & 3;
  const double size = (turned & 1) != 0 ? cosine_of_rest(r) : sine_of_rest(r);
  return (turned & 2) != 0 ? -size : size;
}

inline double sin(double x) {
  return std::abs(x) <= largest_angle ? sine_ahead(x, 0) : std::sin(x);
}
inline double cos(double x) {
  return std::abs(x) <= largest_angle ? sine_ahead(x, 1) : std::cos(x);
}

}  // namespace nearfar::detail::portable
