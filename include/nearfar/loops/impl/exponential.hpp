#pragma once

#include <cstdint>

#include "nearfar/loops/impl/vec.hpp"

/// \file
/// The exponential of softmax losses: of numbers that are at most zero, times a rate.

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// Constants of 2^t for S. The polynomial is 2^f on [-1/2, 1/2] with the least largest
/// relative error: 1.9e-9 for float, 3.1e-18 for double.
template <class S>
struct PowerOfTwo;

template <>
struct PowerOfTwo<float> {
  static constexpr double smallest_exponent = -126;
  static constexpr double coefficients[] = {1.0,
                                            6.931472057e-01,
                                            2.402264689e-01,
                                            5.550328777e-02,
                                            9.618488957e-03,
                                            1.339993122e-03,
                                            1.534581200e-04};
};

template <>
struct PowerOfTwo<double> {
  static constexpr double smallest_exponent = -1022;
  static constexpr double coefficients[] = {1.0,
                                            6.93147180559945286e-01,
                                            2.40226506959101554e-01,
                                            5.55041086648199247e-02,
                                            9.61812910758833538e-03,
                                            1.33335581467899532e-03,
                                            1.54035304625146680e-04,
                                            1.52527334899585181e-05,
                                            1.32154330895671879e-06,
                                            1.01781980343209384e-07,
                                            7.07410563086332867e-09,
                                            4.43528079045642794e-10};
};

/// p 2^n, where n >= smallest_exponent. `shifted` is n + to_whole: a number of this size has no
/// fraction, and its lowest bits are n.
template <class T>
NEARFAR_ALWAYS_INLINE T times_power_of_two(T p, T shifted) {
  return from_bits<T>(bits_of(p) + (bits_of(shifted) << Elementary<ScalarOf<T>>::mantissa_bits));
}

/// 2^(x rate) for x rate below the largest exponent of S; x may be -infinity. 1 for x = 0, and 0 in
/// place of numbers below the smallest normal one. The relative error is that of the exponent,
/// which is rounded once, and two roundings. For e^(x / temperature) `rate` is
/// exponential_rate(temperature).
template <class T, class S>
NEARFAR_ALWAYS_INLINE T exp_scaled(T x, S rate) {
  using Constants = PowerOfTwo<S>;
  const T shift = constant<T>(to_whole<S>);
  const T shifted = in_order(multiply_add(x, spread<T>(rate), shift));
  const T n = in_order(shifted - shift);
  const T f = multiply_add(x, spread<T>(rate), constant<T>(0) - n);
  return select_less(n, constant<T>(Constants::smallest_exponent), constant<T>(0),
                     times_power_of_two(polynomial(f, Constants::coefficients), shifted));
}

}  // namespace NEARFAR_SET
}  // namespace nearfar::detail
