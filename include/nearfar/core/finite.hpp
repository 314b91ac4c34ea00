#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

/// \file
/// Tests by bits whether a number is finite. With -ffinite-math-only (a part of -ffast-math) a
/// compiler assumes that std::isfinite is true. Programs with such flags may use the compiled
/// library, whose headers check their arguments by these functions.

#if defined(NEARFAR_HEADER_ONLY) || defined(NEARFAR_BUILDING)
#if (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(_M_FP_FAST)
#error \
    "nearfar: the headers alone compute with infinities, which -ffinite-math-only (a part of -ffast-math and -Ofast) forbids: add -fno-finite-math-only behind it, or use the compiled library."
#endif
#endif

namespace nearfar::detail {

#if defined(NEARFAR_HEADER_ONLY) || defined(NEARFAR_BUILDING)
static_assert(0.1 != static_cast<double>(0.1f),
              "nearfar: the headers alone compute with doubles, which -fsingle-precision-constant "
              "cuts short: compile without it, or use the compiled library.");
#endif

/// The bits of a number without its sign, and the bits of infinity.
template <class S>
struct MagnitudeBits {
  using Bits = std::conditional_t<sizeof(S) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  static constexpr Bits infinity =
      sizeof(S) == sizeof(std::uint32_t) ? Bits(0x7f800000u) : Bits(0x7ff0000000000000u);

  static constexpr Bits of(S v) { return std::bit_cast<Bits>(v) & (~Bits(0) >> 1); }
};

template <class S>
constexpr bool is_finite(S v) {
  return MagnitudeBits<S>::of(v) < MagnitudeBits<S>::infinity;
}

template <class S>
constexpr bool is_nan(S v) {
  return MagnitudeBits<S>::of(v) > MagnitudeBits<S>::infinity;
}

}  // namespace nearfar::detail
