#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "nearfar/c/calls.h"
#include "nearfar/core/errors.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/core/numbers.hpp"
#include "nearfar/core/targets.hpp"

/// \file
/// Arguments from C, checked as far as a view can be, as the views of C++.

namespace nearfar::detail::c {

/// The object of a pointer that must not be null.
template <class T>
T& required(const char* name, T* given) {
  if (given == nullptr) fail_argument(name, "a pointer", "null");
  return *given;
}

/// Throws unless a struct of type T may have this size: one that was built with an earlier version
/// of the interface, which had the first members alone, is smaller.
template <class T>
void check_size(const char* name, std::size_t size) {
  if (size >= sizeof(std::size_t) && size <= sizeof(T)) return;
  fail_argument(std::string(name) + ".size",
                "a size from " + std::to_string(sizeof(std::size_t)) + " to " +
                    std::to_string(sizeof(T)) + ", as its _init sets it",
                std::to_string(size));
}

/// Sets a struct of the caller's, of `size` bytes, to its defaults.
template <class T>
void initialise(const char* name, T* given, std::size_t size, T defaults) {
  required(name, given);
  check_size<T>(name, size);
  defaults.size = size;
  std::memcpy(given, &defaults, size);
}

/// A struct of the caller's as this version has it: members that it lacks have their defaults.
template <class T>
T completed(const char* name, const T* given, T defaults = {}) {
  required(name, given);
  const std::size_t size = given->size;
  check_size<T>(name, size);
  std::memcpy(&defaults, given, size);
  defaults.size = sizeof(T);
  return defaults;
}

inline const char* name_of_scalar(nearfar_scalar scalar) {
  switch (scalar) {
    case NEARFAR_FLOAT:
      return "NEARFAR_FLOAT";
    case NEARFAR_DOUBLE:
      return "NEARFAR_DOUBLE";
    case NEARFAR_BFLOAT16:
      return "NEARFAR_BFLOAT16";
    case NEARFAR_HALF:
      return "NEARFAR_HALF";
    default:
      return "no scalar type";
  }
}

template <class S>
inline constexpr nearfar_scalar scalar_of = sizeof(S) == sizeof(float) ? NEARFAR_FLOAT
                                                                       : NEARFAR_DOUBLE;

/// Throws unless elements are of the type `wanted`, that of S by default.
template <class S>
void check_scalar(const std::string& name, nearfar_scalar scalar,
                  nearfar_scalar wanted = scalar_of<S>) {
  if (scalar == wanted) return;
  fail_argument(name + ".scalar", std::string(name_of_scalar(wanted)) + ", as other rows",
                scalar >= NEARFAR_FLOAT && scalar <= NEARFAR_HALF ? name_of_scalar(scalar)
                                                                  : std::to_string(scalar));
}

/// Calls body(T()) for the type T of elements of a call over S. Throws for a type that it does not
/// take.
template <class S, class Body>
auto with_stored(const std::string& name, nearfar_scalar scalar, const Body& body) {
  if constexpr (std::is_same_v<S, float>) {
    if (scalar == NEARFAR_BFLOAT16) return body(Eigen::bfloat16());
    if (scalar == NEARFAR_HALF) return body(Eigen::half());
  }
  check_scalar<S>(name, scalar);
  return body(S());
}

/// Calls body(S()) for the scalar type S that calls over `rows` compute in.
template <class Body>
void with_scalar(const char* name, const nearfar_rows& rows, const Body& body) {
  if (rows.scalar == NEARFAR_DOUBLE) return body(double());
  if (rows.scalar >= NEARFAR_FLOAT && rows.scalar <= NEARFAR_HALF) return body(float());
  fail_argument(std::string(name) + ".scalar",
                "NEARFAR_FLOAT, NEARFAR_DOUBLE, NEARFAR_BFLOAT16 or NEARFAR_HALF",
                std::to_string(rows.scalar));
}

/// As the views' own checks, which lack the argument's name.
inline void check_view(const std::string& name, const void* data, std::int64_t rows,
                       std::int64_t cols, std::int64_t stride) {
  if (rows < 0 || cols < 0) {
    fail_argument(name, "rows >= 0 and cols >= 0",
                  std::to_string(rows) + " x " + std::to_string(cols));
  }
  if (stride != 0 && stride < cols) {
    fail_argument(name + ".stride", "0 or at least cols = " + std::to_string(cols),
                  std::to_string(stride));
  }
  if (data == nullptr && rows > 0 && cols > 0) {
    fail_argument(name + ".data",
                  "elements of " + std::to_string(rows) + " x " + std::to_string(cols), "null");
  }
}

template <class S>
Rows<S> rows_of(const std::string& name, const nearfar_rows& given) {
  return with_stored<S>(name, given.scalar, [&]<class T>(T) {
    check_view(name, given.data, given.rows, given.cols, given.stride);
    return Rows<S>(static_cast<const T*>(given.data), given.rows, given.cols,
                   given.stride == 0 ? given.cols : given.stride);
  });
}

template <class S>
GradientRows<S> gradient_of(const std::string& name, const nearfar_gradient* given) {
  if (given == nullptr) return no_gradient;
  const GradientRows<S> out = with_stored<S>(name, given->scalar, [&]<class T>(T) {
    check_view(name, given->data, given->rows, given->cols, given->stride);
    return GradientRows<S>(static_cast<T*>(given->data), given->rows, given->cols,
                           given->stride == 0 ? given->cols : given->stride);
  });
  if (given->write == NEARFAR_OVERWRITE) return out;
  if (given->write == NEARFAR_ACCUMULATE) return accumulate(out);
  fail_argument(name + ".write", "NEARFAR_OVERWRITE or NEARFAR_ACCUMULATE",
                std::to_string(given->write));
}

/// A set of rows as a call is given it, with the gradient that is wanted of it.
struct Set {
  const char* name;
  const nearfar_rows* rows;  ///< null: none, where a call may go without
  const nearfar_gradient* gradient = nullptr;
  const char* name_of_gradient = nullptr;  ///< where it does not follow from `name`

  /// That of its gradient: dx for x, d_queries for queries, d_negatives for negatives.rows.
  std::string gradient_name() const {
    if (name_of_gradient != nullptr) return name_of_gradient;
    const std::string of(name, std::strcspn(name, "."));
    return (of.size() == 1 ? "d" : "d_") + of;
  }
  template <class S>
  Rows<S> view() const {
    return rows != nullptr ? rows_of<S>(name, *rows) : Rows<S>();
  }
  template <class S>
  GradientRows<S> gradient_view() const {
    if (rows == nullptr && gradient != nullptr) {
      fail_argument(gradient_name(), std::string("none without ") + name, "a gradient");
    }
    return gradient_of<S>(gradient_name(), gradient);
  }
};

/// Throws unless `count` items can lie at `data`.
inline void check_count(const std::string& name, const void* data, std::int64_t count) {
  if (count < 0) fail_argument(name + ".count", "a number >= 0", std::to_string(count));
  if (data == nullptr && count > 0) {
    fail_argument(name + ".data", std::to_string(count) + " items", "null");
  }
}

inline Labels labels_of(const std::string& name, const nearfar_integers& given) {
  check_count(name, given.data, given.count);
  return {given.data, static_cast<Index>(given.count)};
}

// Where the two are not one type they are two names of the same 64 bits.
static_assert(sizeof(Index) == sizeof(std::int64_t), "nearfar's C interface needs 64-bit indices");

inline std::span<const Index> indices_of(const std::string& name, const nearfar_integers& given) {
  check_count(name, given.data, given.count);
  return {reinterpret_cast<const Index*>(given.data), static_cast<std::size_t>(given.count)};
}

inline std::span<const double> doubles_of(const std::string& name, const nearfar_doubles& given) {
  check_count(name, given.data, given.count);
  return {given.data, static_cast<std::size_t>(given.count)};
}

/// One S a row, given as rows of one column.
template <class S>
Numbers<S> numbers_of(const std::string& name, const nearfar_rows& given) {
  check_scalar<S>(name, given.scalar);
  const Rows<S> rows = rows_of<S>(name, given);
  if (rows.rows() > 0 && (rows.cols() != 1 || rows.stride() != 1)) {
    fail_argument(
        name, "one column with stride 1",
        std::to_string(rows.cols()) + " columns, stride " + std::to_string(rows.stride()));
  }
  return {rows.data(), rows.rows()};
}

/// Throws std::invalid_argument on a struct that does not hold what its rule says.
Targets targets_of(const std::string& name, const nearfar_targets& given);

}  // namespace nearfar::detail::c
