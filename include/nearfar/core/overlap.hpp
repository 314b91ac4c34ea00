#pragma once

#include <cstddef>
#include <cstdint>

/// \file
/// Tests whether two places in memory have an element in common.

namespace nearfar::detail {

/// `rows` rows of `row_bytes` bytes each from `data`, with `stride_bytes` from one to the next.
struct Place {
  const void* data;
  std::ptrdiff_t rows;
  std::ptrdiff_t row_bytes;
  std::ptrdiff_t stride_bytes;

  bool empty() const { return rows <= 0 || row_bytes <= 0; }
  std::intptr_t first() const { return reinterpret_cast<std::intptr_t>(data); }
  std::intptr_t end() const { return first() + (rows - 1) * stride_bytes + row_bytes; }
};

template <class T>
Place place_of(const T* data, std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t stride) {
  constexpr std::ptrdiff_t bytes = sizeof(T);
  return {data, rows, cols * bytes, stride * bytes};
}

/// The place of contiguous numbers.
template <class Range>
Place place_of(const Range& numbers) {
  const auto count = static_cast<std::ptrdiff_t>(numbers.size());
  return place_of(numbers.data(), 1, count, count);
}

/// The rows of two places may interleave, as those of the left and the right half of a matrix do.
inline bool overlap(const Place& a, const Place& b) {
  if (a.empty() || b.empty() || a.end() <= b.first() || b.end() <= a.first()) return false;
  for (std::ptrdiff_t i = 0; i < a.rows; ++i) {
    const std::intptr_t from = a.first() + i * a.stride_bytes;
    // The first row of b that ends behind `from`.
    const std::intptr_t behind = from - b.first() - b.row_bytes;
    const std::intptr_t j = behind < 0 ? 0 : b.rows > 1 ? behind / b.stride_bytes + 1 : 1;
    if (j < b.rows && b.first() + j * b.stride_bytes < from + a.row_bytes) return true;
  }
  return false;
}

}  // namespace nearfar::detail
