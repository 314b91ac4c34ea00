#pragma once

#include <Eigen/Core>
#include <limits>
#include <numbers>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "nearfar/core/finite.hpp"

/// \file
/// All exceptions of nearfar are thrown here. Three types: std::invalid_argument for shapes,
/// options and labels, std::domain_error for elements that are not finite, std::runtime_error for
/// files. A message contains the argument, the wanted value and the value it got.

namespace nearfar {

namespace detail {

/// A number in few digits, for messages.
inline std::string number_text(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace detail

/// Throws for a bad argument: "nearfar: <argument>: wanted <wanted>, got <got>".
[[noreturn]] inline void fail_argument(std::string_view argument, std::string_view wanted,
                                       std::string_view got) {
  std::ostringstream text;
  text << "nearfar: " << argument << ": wanted " << wanted << ", got " << got;
  throw std::invalid_argument(text.str());
}

/// Throws for a shape that does not fit.
[[noreturn]] inline void fail_shape(std::string_view argument, Eigen::Index rows, Eigen::Index cols,
                                    Eigen::Index got_rows, Eigen::Index got_cols) {
  fail_argument(argument, std::to_string(rows) + " x " + std::to_string(cols),
                std::to_string(got_rows) + " x " + std::to_string(got_cols));
}

/// Throws for an element that is NaN or infinite.
[[noreturn]] inline void fail_not_finite(std::string_view argument, Eigen::Index row,
                                         Eigen::Index col, double value) {
  std::ostringstream text;
  text << "nearfar: " << argument << ": wanted finite elements, got "
       << (detail::is_nan(value) ? "NaN" : (value > 0 ? "infinity" : "-infinity")) << " at row "
       << row << ", column " << col;
  throw std::domain_error(text.str());
}

/// Throws for inner products that overflow the scalar type: no finite result exists.
[[noreturn]] inline void fail_overflow(std::string_view argument, std::string_view other) {
  std::ostringstream text;
  text << "nearfar: " << argument << " and " << other
       << ": wanted rows whose inner products fit the scalar type, got rows so long that they "
          "overflow it; scale the rows or use double";
  throw std::domain_error(text.str());
}

/// Throws for distances that overflow the scalar type.
[[noreturn]] inline void fail_distance_overflow() {
  throw std::domain_error(
      "nearfar: wanted rows whose distances fit the scalar type, got rows so far apart that one "
      "overflows it; scale the rows or use double");
}

/// Throws for a gradient that overflows the scalar type.
[[noreturn]] inline void fail_gradient_overflow(std::string_view argument) {
  std::ostringstream text;
  text << "nearfar: " << argument
       << ": wanted rows whose gradient fits the scalar type, got rows so long that it overflows; "
          "scale the rows or use double";
  throw std::domain_error(text.str());
}

/// Throws for a gradient that does not fit Eigen::half.
[[noreturn]] inline void fail_half_overflow(std::string_view argument) {
  std::ostringstream text;
  text << "nearfar: " << argument
       << ": wanted a gradient that fits Eigen::half, got one beyond 65504; make the upstream "
          "smaller, or take the gradient in float or Eigen::bfloat16";
  throw std::domain_error(text.str());
}

/// Throws for a loss that overflows double.
[[noreturn]] inline void fail_value_overflow(double value) {
  std::ostringstream text;
  text << "nearfar: value: wanted scores that a finite loss comes from, got scores so large that "
          "it overflows to "
       << value;
  throw std::domain_error(text.str());
}

namespace detail {

/// Returns a derivative with respect to an option; throws if it overflows double.
inline double checked_derivative(std::string_view name, double value) {
  if (is_finite(value)) return value;
  std::ostringstream text;
  text << "nearfar: " << name
       << ": wanted options and scores that a finite derivative comes from, got ones so extreme "
          "that it overflows";
  throw std::domain_error(text.str());
}

}  // namespace detail

/// Throws for a file that cannot be read or written, or has another format.
[[noreturn]] inline void fail_file(std::string_view file, std::string_view what) {
  std::ostringstream text;
  text << "nearfar: " << file << " " << what;
  throw std::runtime_error(text.str());
}

/// Throws for impossible sizes of a view.
inline void check_layout(bool has_data, Eigen::Index rows, Eigen::Index cols, Eigen::Index stride) {
  if (rows < 0 || cols < 0) {
    fail_argument("view", "rows >= 0 and cols >= 0",
                  std::to_string(rows) + " x " + std::to_string(cols));
  }
  if (rows > 1 && stride < cols) {
    fail_argument("view", "a stride of at least cols = " + std::to_string(cols),
                  "stride " + std::to_string(stride));
  }
  if (!has_data && rows > 0 && cols > 0) {
    fail_argument("view", "data for " + std::to_string(rows) + " x " + std::to_string(cols),
                  "a null pointer");
  }
}

/// Throws if `elements` is less than the extent of a view of that shape. Call check_layout first.
inline void check_extent(std::size_t elements, Eigen::Index rows, Eigen::Index cols,
                         Eigen::Index stride) {
  if (rows == 0 || cols == 0) return;
  const auto needed = static_cast<std::size_t>((rows - 1) * stride + cols);
  if (elements < needed) {
    fail_argument("view", std::to_string(needed) + " elements", std::to_string(elements));
  }
}

/// Throws unless an option is finite and positive.
inline void check_positive(std::string_view option, double value) {
  if (!(value > 0) || !detail::is_finite(value)) {
    fail_argument(option, "a finite number > 0", detail::number_text(value));
  }
}

/// Throws unless a factor or divisor of scores of type S (a logit scale, a temperature) is finite
/// and positive, and S can represent it and its inverse.
template <class S>
void check_scale(std::string_view option, double value) {
  check_positive(option, value);
  constexpr double least = 2.0 * static_cast<double>(std::numeric_limits<S>::min());
  constexpr double most = static_cast<double>(std::numeric_limits<S>::max()) / 8;
  if (value < least || value > most) {
    fail_argument(option,
                  "a number from " + detail::number_text(least) + " to " +
                      detail::number_text(most) + ", which fits the scalar type with its inverse",
                  detail::number_text(value));
  }
}

/// Throws unless an option is finite.
inline void check_finite_option(std::string_view option, double value) {
  if (!detail::is_finite(value))
    fail_argument(option, "a finite number", detail::number_text(value));
}

/// Throws unless a summand of scores of type S (a margin, a bias) is finite in S.
template <class S>
void check_offset(std::string_view option, double value) {
  check_finite_option(option, value);
  constexpr double most = static_cast<double>(std::numeric_limits<S>::max()) / 8;
  if (value < -most || value > most) {
    fail_argument(option,
                  "a number from " + detail::number_text(-most) + " to " +
                      detail::number_text(most) + ", which fits the scalar type",
                  detail::number_text(value));
  }
}

/// Throws unless an angle is in range, in radians.
inline void check_angle(std::string_view option, double value) {
  if (detail::is_finite(value) && value >= 0 && value <= std::numbers::pi) return;
  fail_argument(option, "a number from 0 to pi", detail::number_text(value));
}

/// Throws unless an option is finite and not negative.
inline void check_not_negative(std::string_view option, double value) {
  if (!(value >= 0) || !detail::is_finite(value)) {
    fail_argument(option, "a finite number >= 0", detail::number_text(value));
  }
}

}  // namespace nearfar
