#pragma once

#include <concepts>
#include <cstdint>
#include <ranges>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Class labels, one a row.

namespace nearfar {

/// A view of one integer a row, made implicitly from any contiguous range of integers
/// (std::vector<int>, std::span<const std::int64_t>, an Eigen vector of integers...). Any value
/// may be a label, negative or huge: only equality counts. Holds a pointer: the integers must
/// outlive the call.
class Labels {
 public:
  Labels() = default;

  /// `size` integers at `data`. Throws std::invalid_argument when the size is negative, or data is
  /// null although there is something to read.
  template <std::integral T>
  Labels(const T* data, Index size)
      : data_(data), size_(size), read_([](const void* p, Index i) {
          return static_cast<std::int64_t>(static_cast<const T*>(p)[i]);
        }) {
    check_layout(data != nullptr, size, 1, 1);
  }

  template <std::ranges::contiguous_range R>
  requires std::ranges::sized_range<R> && std::integral<std::ranges::range_value_t<R>> Labels(
      const R& range)  // NOLINT(google-explicit-constructor): a view, as std::span
      : Labels(std::ranges::data(range), static_cast<Index>(std::ranges::size(range))) {}

  template <class Derived>
  requires std::integral<typename Derived::Scalar> Labels(
      const Eigen::PlainObjectBase<Derived>& v)  // NOLINT(google-explicit-constructor)
      : Labels(v.data(), v.size()) {}

  Index size() const { return size_; }
  std::int64_t operator[](Index i) const { return read_(data_, i); }

 private:
  const void* data_ = nullptr;
  Index size_ = 0;
  std::int64_t (*read_)(const void*, Index) = nullptr;
};

/// Throws std::invalid_argument unless there is one label a row.
inline void check_label_count(const char* name, const Labels& labels, Index rows) {
  if (labels.size() != rows) {
    fail_argument(name, std::to_string(rows) + " labels, one a row", std::to_string(labels.size()));
  }
}

namespace detail {

/// Labels that are to be row numbers from 0 to count - 1, one a row, counted from row `first` on.
/// Throws std::invalid_argument when one is not such a number.
inline const Index* checked_indices(Scratch& scratch, const char* name, const Labels& labels,
                                    Index rows, Index count, Index first = 0) {
  check_label_count(name, labels, rows);
  auto* out = scratch.take<Index>(rows);
  for (Index i = 0; i < rows; ++i) {
    if (labels[i] < 0 || labels[i] >= count) {
      fail_argument(name, "indices from 0 to " + std::to_string(count - 1),
                    std::to_string(labels[i]) + " for row " + std::to_string(i));
    }
    out[i] = static_cast<Index>(labels[i]) - first;
  }
  return out;
}

}  // namespace detail

}  // namespace nearfar
