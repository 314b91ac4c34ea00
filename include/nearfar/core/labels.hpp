#pragma once

#include <concepts>
#include <cstdint>
#include <ranges>
#include <type_traits>
#include <vector>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Class labels, one a row.

namespace nearfar {

namespace detail {

template <class R>
constexpr void require_integers() {
  static_assert(!std::is_same_v<R, R>,
                "nearfar: labels are integers: only equality counts, which rounding breaks. Cast "
                "floating-point numbers to integers: labels.cast<int>() into an "
                "Eigen::VectorXi, or a std::vector<int>(labels.begin(), labels.end()).");
}

/// One floating-point number a row. Such ranges are no labels; the overload exists for the error
/// message.
template <class R>
constexpr bool is_one_real_a_row() {
  if constexpr (EigenDense<R>) {
    return std::floating_point<typename R::Scalar> && bool(R::IsVectorAtCompileTime);
  } else if constexpr (std::ranges::contiguous_range<R> && std::ranges::sized_range<R>) {
    return std::floating_point<std::ranges::range_value_t<R>>;
  }
  return false;
}

}  // namespace detail

/// A view of one integer a row, made implicitly from any contiguous range of integers
/// (std::vector<int>, std::span<const std::int64_t>...), from std::vector<bool>, or from integers
/// of Eigen in one row or column (a vector, a Map, Ref or segment of one, a row or column of a
/// matrix, with any stride). Any value may be a label, negative or huge: only equality counts. A
/// view holds a pointer: the integers must outlive the call.
class Labels {
 public:
  Labels() = default;

  /// `size` integers at `data`, with `stride` integers from one to the next. Throws
  /// std::invalid_argument if the size is negative, the stride less than 1, or data is null and
  /// size is not 0.
  template <std::integral T>
  Labels(const T* data, Index size, Index stride = 1)
      : data_(data), size_(size), stride_(stride), read_([](const void* p, Index i) {
          return static_cast<std::int64_t>(static_cast<const T*>(p)[i]);
        }) {
    check_layout(data != nullptr, size, 1, stride);
  }

  template <std::ranges::contiguous_range R>
  requires(std::ranges::sized_range<R>&& std::integral<std::ranges::range_value_t<R>> &&
           !detail::EigenDense<R>)
      Labels(const R& range)  // NOLINT(google-explicit-constructor): a view, as std::span
      : Labels(std::ranges::data(range), static_cast<Index>(std::ranges::size(range))) {}

  /// Bits have no addresses: the view holds a pointer to the vector.
  Labels(const std::vector<bool>& bits)  // NOLINT(google-explicit-constructor)
      : data_(&bits), size_(static_cast<Index>(bits.size())), read_([](const void* p, Index i) {
          const auto& all = *static_cast<const std::vector<bool>*>(p);
          return static_cast<std::int64_t>(all[static_cast<std::size_t>(i)]);
        }) {}

  /// A view of a matrix of one row, of one column, or without gaps; then of all its elements in the
  /// order of memory. Throws std::invalid_argument on another matrix.
  template <detail::EigenDense V>
  requires std::integral<typename V::Scalar> Labels(
      const V& v) {  // NOLINT(google-explicit-constructor)
    static_assert((int(V::Flags) & int(Eigen::DirectAccessBit)) != 0,
                  "nearfar: labels must lie in memory. Pass a vector, a Map or a segment of one: "
                  "what an expression evaluates to would be gone before the call.");
    if constexpr ((int(V::Flags) & int(Eigen::DirectAccessBit)) != 0) {
      const bool one_inner = v.innerSize() == 1;
      if (!one_inner && v.outerSize() > 1 && v.outerStride() != v.innerSize() * v.innerStride()) {
        fail_argument("labels", "one row, one column or a matrix without gaps",
                      "a part of a matrix");
      }
      *this = Labels(v.data(), v.size(), one_inner ? v.outerStride() : v.innerStride());
    }
  }

  template <class R>
  requires(detail::is_one_real_a_row<R>())
      Labels(const R&) {  // NOLINT(google-explicit-constructor): as those above
    detail::require_integers<R>();
  }
  template <std::floating_point T>
  Labels(const T*, Index, Index = 1) {
    detail::require_integers<T>();
  }

  Index size() const { return size_; }
  std::int64_t operator[](Index i) const { return read_(data_, i * stride_); }
  /// The memory of the integers.
  const void* data() const { return data_; }

 private:
  const void* data_ = nullptr;
  Index size_ = 0;
  Index stride_ = 1;
  std::int64_t (*read_)(const void*, Index) = nullptr;
};

/// Throws std::invalid_argument unless there is one label a row.
inline void check_label_count(const char* name, const Labels& labels, Index rows) {
  if (labels.size() != rows) {
    fail_argument(name, std::to_string(rows) + " labels, one a row", std::to_string(labels.size()));
  }
}

namespace detail {

/// Throws std::invalid_argument unless `same` is 0 or 1 for each pair.
inline void check_same_flags(const Labels& same, Index pairs) {
  check_label_count("same", same, pairs);
  for (Index i = 0; i < same.size(); ++i) {
    if (same[i] != 0 && same[i] != 1) {
      fail_argument("same", "0 or 1 for each pair",
                    std::to_string(same[i]) + " for pair " + std::to_string(i));
    }
  }
}

/// Labels as row numbers from 0 to count - 1, one a row. Rows count from `first` in messages.
/// Throws std::invalid_argument on a number out of range.
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
