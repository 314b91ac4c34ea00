#pragma once

#include <cstddef>

#include "nearfar/loops/set.hpp"

/// \file
/// Names that loops and their callers share, for any instruction set.

namespace nearfar {

using Index = std::ptrdiff_t;

namespace detail {

/// Smallest and largest of some numbers.
template <class S>
struct Range {
  S smallest;
  S largest;
};

/// The rate for which exp_scaled gives e^(x / temperature).
template <class S>
NEARFAR_ALWAYS_INLINE constexpr S exponential_rate(double temperature) {
  constexpr double log2_of_e = 1.4426950408889634;
  return static_cast<S>(log2_of_e / temperature);
}

}  // namespace detail
}  // namespace nearfar
