#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nearfar/loops/range.hpp>
#include <vector>

#include "support/random.hpp"

/// \file
/// Common parts of tests of vector code: sizes, memory with a guarded end, and rounding bounds.

namespace support {

using Scalars = testing::Types<float, double>;

/// 0, less than a vector, whole vectors of every instruction set with and without a remainder, and
/// the width of a tile.
inline constexpr Index loop_sizes[] = {0, 1, 2, 3, 7, 8, 15, 17, 31, 33, 63, 64, 129, 384};

/// n numbers, followed by some that must not be written.
template <class S>
class Array {
 public:
  Array() = default;
  explicit Array(Index n) : n_(n), values_(static_cast<std::size_t>(n + beyond), canary) {}

  /// Uniform in [low, high).
  static Array uniform(Index n, double low, double high, std::uint64_t seed) {
    Random random(seed);
    Array out(n);
    for (Index k = 0; k < n; ++k) {
      out[k] = static_cast<S>(low + (high - low) * (random.uniform() + 1) / 2);
    }
    return out;
  }

  Index size() const { return n_; }
  S* data() { return values_.data(); }
  const S* data() const { return values_.data(); }
  S& operator[](Index k) { return values_[static_cast<std::size_t>(k)]; }
  const S& operator[](Index k) const { return values_[static_cast<std::size_t>(k)]; }
  long double exact(Index k) const { return static_cast<long double>((*this)[k]); }

  /// True if nothing was written beyond the end.
  bool intact() const {
    return std::all_of(values_.begin() + static_cast<std::ptrdiff_t>(n_), values_.end(),
                       [](S v) { return v == canary; });
  }

 private:
  static constexpr Index beyond = 32;
  static constexpr S canary = S(-12345);

  Index n_ = 0;
  std::vector<S> values_;
};

/// Compares got with want, up to `roundings` of numbers of size `magnitude`, in T's precision.
template <class T>
testing::AssertionResult close(T got, long double want, long double magnitude, double roundings) {
  const auto epsilon = static_cast<long double>(std::numeric_limits<T>::epsilon());
  const long double most = epsilon * roundings * magnitude;
  const long double off = std::abs(static_cast<long double>(got) - want);
  if (off <= most) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << got << " is " << off << " from " << want << ", " << most << " is allowed";
}

/// A sum in long double, and the sum of its absolute terms.
struct Sum {
  long double value = 0;
  long double magnitude = 0;

  void operator+=(long double term) {
    value += term;
    magnitude += std::abs(term);
  }
};

/// Compares got with a sum of n terms in S, each with a few rounding errors of its own.
template <class S>
testing::AssertionResult close_sum(double got, const Sum& want, Index n, double roundings) {
  return close(static_cast<S>(got), want.value, want.magnitude, static_cast<double>(n) + roundings);
}

}  // namespace support
