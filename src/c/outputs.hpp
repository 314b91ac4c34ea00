#pragma once

#include <new>

#include "pass.hpp"

/// \file
/// Memory of the caller's that calls other than those of losses write.

namespace nearfar::detail::c {

/// Memory for rows that a call overwrites, of the type `scalar`.
template <class S>
GradientRows<S> overwritten(const std::string& name, const nearfar_gradient* given,
                            nearfar_scalar scalar = scalar_of<S>) {
  check_scalar<S>(name, required(name.c_str(), given).scalar, scalar);
  const GradientRows<S> out = gradient_of<S>(name, given);
  if (out.accumulates()) fail_argument(name + ".write", "NEARFAR_OVERWRITE", "NEARFAR_ACCUMULATE");
  return out;
}

/// Copies rows of the same shape.
template <class S>
void copy_rows(const Rows<S>& from, const GradientRows<S>& to) {
  for (Index i = 0; i < from.rows(); ++i) std::copy_n(from.row(i), from.cols(), to.row(i));
}

/// Buffers of a result: a name, where they lie, and how many numbers go there. `add` checks the
/// room that there is, `check` that no two overlap, nor one and what is read.
class Buffers {
 public:
  /// `rows` of `cols` numbers into `data`, null: not wanted, with room for `capacity` rows.
  template <class T>
  void add(const std::string& name, const T* data, const char* capacity_name, std::int64_t capacity,
           Index rows, Index cols = 1) {
    if (data == nullptr) return;
    if (capacity < rows) {
      fail_argument(capacity_name, "room for " + std::to_string(rows), std::to_string(capacity));
    }
    constexpr Index most = std::numeric_limits<Index>::max() / static_cast<Index>(sizeof(T));
    if (cols > 0 && rows > most / cols) throw std::bad_alloc();
    places_.push_back({name, place_of(data, 1, rows * cols, rows * cols)});
  }

  void check(std::initializer_list<NamedPlace> read) const {
    check_apart(places_, std::span<const NamedPlace>(read.begin(), read.size()));
  }

 private:
  std::vector<NamedPlace> places_;
};

/// Copies numbers to a buffer that may be null.
template <class T, class Range>
void copy_to(T* buffer, const Range& numbers) {
  if (buffer == nullptr) return;
  for (const auto& number : numbers) *buffer++ = static_cast<T>(number);
}

/// Writes as much of a struct as the caller's has.
template <class T>
void write_back(T* to, T from) {
  const std::size_t size = to->size;
  from.size = size;
  std::memcpy(to, &from, size);
}

/// A choice that is 0 or 1.
inline bool flag_of(const std::string& name, std::int32_t given) {
  if (given == 0 || given == 1) return given == 1;
  fail_argument(name, "0 or 1", std::to_string(given));
}

}  // namespace nearfar::detail::c
