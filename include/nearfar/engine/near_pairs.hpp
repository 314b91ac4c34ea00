#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Pairs whose distance is computed from the rows, because the product form loses its digits: one
/// bit each. Their gradient is computed from the rows, too.

namespace nearfar::detail {

/// Bits of consecutive pairs of one row; empty without words.
struct NearBits {
  static constexpr Index bits = 64;

  std::uint64_t* words = nullptr;
  Index first = 0;  ///< the bit of pair 0

  bool wanted() const { return words != nullptr; }

  void set(Index j) const {
    if (wanted()) words[(first + j) / bits] |= std::uint64_t(1) << (first + j) % bits;
  }

  bool has(Index j) const {
    return wanted() && (words[(first + j) / bits] >> (first + j) % bits & 1) != 0;
  }

  /// Calls body(j) for those of n pairs that are near, in order.
  template <class Body>
  void each(Index n, const Body& body) const {
    if (!wanted() || n == 0) return;
    const Index end = first + n;
    for (Index w = first / bits; w * bits < end; ++w) {
      std::uint64_t left = words[w];
      if (w * bits < first) left &= ~std::uint64_t(0) << (first - w * bits);
      for (; left != 0; left &= left - 1) {
        const Index bit = w * bits + std::countr_zero(left);
        if (bit >= end) return;
        body(bit - first);
      }
    }
  }

  bool any(Index n) const {
    bool found = false;
    each(n, [&](Index) { found = true; });
    return found;
  }
};

/// Calls body(j, weight) for the near pairs among a row's n that have a weight, and sets the weight
/// to 0, because their gradients are computed from the rows.
template <class S, class Body>
void take_near_weights(const NearBits& near, Index n, S* weights, const Body& body) {
  near.each(n, [&](Index j) {
    const S weight = std::exchange(weights[j], S(0));
    if (weight != S(0)) body(j, weight);
  });
}

/// Bits of several rows, `width` pairs each.
class NearPairs {
 public:
  NearPairs() = default;
  NearPairs(Scratch& scratch, Index rows, Index width)
      : words_a_row_(words_of(width)), words_(scratch.take<std::uint64_t>(rows * words_a_row_)) {}

  static Index bytes(Index rows, Index width) {
    return rows * words_of(width) * Index(sizeof(std::uint64_t));
  }

  /// Clears the bits of rows [first, first + count).
  void clear(Index first, Index count) const {
    if (words_ == nullptr) return;
    std::fill_n(words_ + first * words_a_row_, count * words_a_row_, std::uint64_t(0));
  }

  /// The bits of row r from pair `first` on.
  NearBits row(Index r, Index first) const {
    if (words_ == nullptr) return {};
    return {words_ + r * words_a_row_, first};
  }

 private:
  static Index words_of(Index width) { return (width + NearBits::bits - 1) / NearBits::bits; }

  Index words_a_row_ = 0;
  std::uint64_t* words_ = nullptr;
};

}  // namespace nearfar::detail
