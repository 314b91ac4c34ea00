#pragma once

#include <ranges>

#include "nearfar/core/matrix.hpp"

/// \file
/// One real number a row.

namespace nearfar {

namespace detail {

/// Numbers of another type than S, one a row.
template <class R, class S>
constexpr bool is_of_other_numbers() {
  if constexpr (EigenDense<R>) {
    return std::is_arithmetic_v<typename R::Scalar> && !std::is_same_v<typename R::Scalar, S> &&
           bool(R::IsVectorAtCompileTime);
  } else if constexpr (std::ranges::contiguous_range<R> && std::ranges::sized_range<R>) {
    using T = std::remove_cv_t<std::ranges::range_value_t<R>>;
    return std::is_arithmetic_v<T> && !std::is_same_v<T, S>;
  }
  return false;
}

}  // namespace detail

/// A view of one S a row, made implicitly from any contiguous range of S (std::vector, std::span)
/// or an Eigen vector, Map or segment. It holds a pointer: the numbers must outlive the call.
template <class S>
class Numbers {
 public:
  Numbers() = default;

  /// `size` numbers at `data`. Throws std::invalid_argument if the size is negative, or data is
  /// null and size is not 0.
  Numbers(const S* data, Index size) : data_(data), size_(size) {
    check_layout(data != nullptr, size, 1, 1);
  }

  template <std::ranges::contiguous_range R>
  requires(std::ranges::sized_range<R>&&
               std::is_same_v<std::remove_cv_t<std::ranges::range_value_t<R>>, S> &&
           !detail::EigenDense<R>)
      Numbers(const R& range)  // NOLINT(google-explicit-constructor): a view, as std::span
      : Numbers(std::ranges::data(range), static_cast<Index>(std::ranges::size(range))) {}

  template <detail::EigenDense V>
  requires(std::is_same_v<typename V::Scalar, S>&& bool(V::IsVectorAtCompileTime) &&
           (int(V::Flags) & int(Eigen::DirectAccessBit)) != 0)
      Numbers(const V& v)  // NOLINT(google-explicit-constructor)
      : Numbers(v.data(), v.size()) {
    if (size_ > 1 && v.innerStride() != 1) {
      fail_argument("numbers", "a vector without gaps",
                    "one with a stride of " + std::to_string(v.innerStride()));
    }
  }

  /// The overload exists for the error message.
  template <class R>
  requires(detail::is_of_other_numbers<R, S>())
      Numbers(const R&) {  // NOLINT(google-explicit-constructor)
    static_assert(!std::is_same_v<R, R>,
                  "nearfar: these numbers are of another type than the argument. Upstreams and "
                  "weights are of double, all others of the loss's type. Copy them: "
                  "std::vector<double>(v.begin(), v.end()), or v.cast<double>() into an "
                  "Eigen::VectorXd.");
  }

  const S* data() const { return data_; }
  Index size() const { return size_; }
  S operator[](Index i) const { return data_[i]; }

 private:
  const S* data_ = nullptr;
  Index size_ = 0;
};

/// Throws std::invalid_argument unless there is one number a row, std::domain_error unless all are
/// finite.
template <class S>
void check_numbers(const char* name, const Numbers<S>& numbers, Index rows) {
  if (numbers.size() != rows) {
    fail_argument(name, std::to_string(rows) + " numbers, one a row",
                  std::to_string(numbers.size()));
  }
  for (Index i = 0; i < rows; ++i) {
    if (!detail::is_finite(numbers[i]))
      fail_not_finite(name, i, 0, static_cast<double>(numbers[i]));
  }
}

}  // namespace nearfar
