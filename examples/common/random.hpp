#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>
#include <utility>
#include <vector>

/// \file
/// Random numbers that are the same with every standard library. The C++ standard defines the
/// output of std::mt19937_64, but not that of its distributions, so the distributions are here.

namespace example {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// A uniform integer in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    // The lowest 2^64 mod bound values are rejected, so that the rest divides evenly.
    const std::uint64_t unfair = (0 - bound) % bound;
    std::uint64_t draw = engine_();
    while (draw < unfair) draw = engine_();
    return draw % bound;
  }

  /// A number in (0, 1]: never 0, so that its logarithm exists.
  double uniform() { return static_cast<double>((engine_() >> 11) + 1) * 0x1p-53; }

  /// A normal number of mean 0 and variance 1, by the Box-Muller transform.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

  /// Puts the items in random order (Fisher and Yates).
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t left = items.size(); left > 1; --left) {
      std::swap(items[left - 1], items[below(left)]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace example
