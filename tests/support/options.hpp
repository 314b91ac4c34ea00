#pragma once

#include <functional>
#include <limits>
#include <nearfar/core/reduction.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/errors.hpp"

/// \file
/// Number options of a loss: the values that are refused, and the messages.

namespace support {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// A number option, its condition, and a function that makes a loss with it.
struct Option {
  const char* name;
  const char* wanted;
  std::function<void(double)> make;
};

/// Each number is refused, and the message contains the number as written here.
inline void expect_refuses(const Option& option,
                           const std::vector<std::pair<double, const char*>>& bad) {
  for (const auto& [value, got] : bad) {
    expect_refused({option.name,
                    Thrown::invalid_argument,
                    {std::string("nearfar: ") + option.name + ": wanted " + option.wanted,
                     std::string("got ") + got},
                    [&, v = value] { option.make(v); }});
  }
}

inline void expect_must_be_positive(const char* name, const std::function<void(double)>& make) {
  expect_refuses({name, "a finite number > 0", make}, {{0, "0"},
                                                       {-0.07, "-0.07"},
                                                       {-1, "-1"},
                                                       {not_a_number, "nan"},
                                                       {infinite, "inf"},
                                                       {-infinite, "-inf"}});
  EXPECT_NO_THROW(make(1e-3)) << name;
  EXPECT_NO_THROW(make(1e3)) << name;
}

/// Refuses all numbers that are not finite; `wanted` may be a stronger condition.
inline void expect_must_be_finite(const char* name, const std::function<void(double)>& make,
                                  const char* wanted = "a finite number") {
  expect_refuses({name, wanted, make},
                 {{not_a_number, "nan"}, {infinite, "inf"}, {-infinite, "-inf"}});
}

/// By default most losses reduce to the mean and skip unusable anchors.
template <class Options>
void expect_common_defaults(nearfar::Reduction reduction = nearfar::Reduction::mean) {
  const Options options{};
  EXPECT_EQ(options.reduction, reduction);
  if constexpr (requires { options.unusable_anchors; }) {
    EXPECT_EQ(options.unusable_anchors, nearfar::UnusableAnchor::skip);
  }
}

}  // namespace support
