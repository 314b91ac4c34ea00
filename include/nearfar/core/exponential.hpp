#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "nearfar/core/simd.hpp"

/// \file
/// The exponential of softmax losses: of numbers that are never above zero, times a rate.

namespace nearfar::detail {

/// What 2^t is computed from, for S. The polynomial is 2^f on [-1/2, 1/2] with the least largest
/// relative error: 1.9e-9 for float, 3.1e-18 for double.
template <class S>
struct PowerOfTwo;

template <>
struct PowerOfTwo<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa_bits = 23;
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
  using Bits = std::uint64_t;
  static constexpr int mantissa_bits = 52;
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

/// p 2^n, where n >= smallest_exponent. `shifted` is n + 1.5 * 2^mantissa_bits: a number so large
/// has no fraction, and n lies in its lowest bits.
template <class S>
NEARFAR_ALWAYS_INLINE S times_power_of_two(S p, S, S shifted) {
  using Bits = typename PowerOfTwo<S>::Bits;
  const Bits exponent = std::bit_cast<Bits>(shifted) << PowerOfTwo<S>::mantissa_bits;
  return std::bit_cast<S>(std::bit_cast<Bits>(p) + exponent);
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> times_power_of_two(Vec<S> p, [[maybe_unused]] Vec<S> n,
                                                [[maybe_unused]] Vec<S> shifted) {
#if defined(__GNUC__) && defined(__x86_64__)
  using Packet = typename Vec<S>::Packet;
  using Bits [[gnu::vector_size(sizeof(Packet))]] = typename PowerOfTwo<S>::Bits;
  const Bits exponent = std::bit_cast<Bits>(shifted.p) << PowerOfTwo<S>::mantissa_bits;
  return {std::bit_cast<Packet>(std::bit_cast<Bits>(p.p) + exponent)};
#else
  return {Eigen::internal::pldexp(p.p, n.p)};
#endif
}

/// What exp_scaled takes for e^(x / temperature).
template <class S>
S exponential_rate(double temperature) {
  constexpr double log2_of_e = 1.4426950408889634;
  return static_cast<S>(log2_of_e / temperature);
}

/// 2^(x rate) for x rate below the largest exponent of S; minus infinity will do. 1 for x = 0, and
/// 0 instead of a number below the smallest normal one. The relative error is that of the exponent,
/// which is rounded once, and two roundings.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T exp_scaled(T x, S rate) {
  using Constants = PowerOfTwo<S>;
  const T shift =
      constant<T>(1.5 * static_cast<double>(std::uint64_t(1) << Constants::mantissa_bits));
  const T shifted = multiply_add(x, spread<T>(rate), shift);
  const T n = shifted - shift;
  const T f = multiply_add(x, spread<T>(rate), constant<T>(0) - n);
  constexpr int degree = int(std::size(Constants::coefficients)) - 1;
  T p = constant<T>(Constants::coefficients[degree]);
  for (int k = degree - 1; k >= 0; --k) {
    p = multiply_add(p, f, constant<T>(Constants::coefficients[k]));
  }
  return select_less(n, constant<T>(Constants::smallest_exponent), constant<T>(0),
                     times_power_of_two(p, n, shifted));
}

}  // namespace nearfar::detail
