#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nearfar/losses/register.hpp>
#include <optional>
#include <type_traits>

/// \file
/// Options by their `fields`: their number, and values other than the defaults.

namespace support {

struct AnyMember {
  template <class T>
  operator T() const;
};

/// The number of members of an aggregate.
template <class T, class... Members>
constexpr std::size_t members_of() {
  if constexpr (requires { T{Members()..., AnyMember()}; }) {
    return members_of<T, Members..., AnyMember>();
  } else {
    return sizeof...(Members);
  }
}

/// The number of options that `fields` visits.
template <class Options>
std::size_t fields_of() {
  std::size_t count = 0;
  Options options;
  Options::fields([&](const char*, auto&) { ++count; }, options);
  return count;
}

/// Options with the same meaning for all losses, which tests cover separately.
template <class T>
inline constexpr bool is_common_option =
    std::is_same_v<T, nearfar::Reduction> || std::is_same_v<T, nearfar::UnusableAnchor>;

/// A visitor that sets each of a loss's own options, in several structs at once: numbers to others
/// than the first struct's defaults, choices to number `round` modulo their count. After as many
/// rounds as the option with most choices has, each choice has occurred.
struct OtherThanDefaults {
  std::size_t round = 0;

  template <class First, class... Others>
  void operator()(const char*, First& first, Others&... others) const {
    const auto set = [&](auto value) {
      first = static_cast<First>(value);
      ((others = static_cast<Others>(value)), ...);
    };
    if constexpr (is_common_option<First>) {
      return;
    } else if constexpr (std::is_same_v<First, std::optional<double>>) {
      set(0.25);  // a possible score of every kernel
    } else if constexpr (std::is_class_v<First>) {
      First::fields(*this, first, others...);
    } else if constexpr (std::is_enum_v<First> || std::is_same_v<First, bool>) {
      set(static_cast<int>(round % nearfar::registered::choices_of<First>.size()));
    } else if constexpr (std::is_floating_point_v<First>) {
      set(first == 0 ? 0.25 : std::isinf(first) ? 3.0 : 0.75 * first);
    } else {
      set(first + 3);
    }
  }
};

/// The number of choices of the option with most; 1 if no option has any.
template <class Options>
std::size_t rounds_of() {
  std::size_t most = 1;
  Options options;
  Options::fields(
      [&]<class T>(const char*, T&) {
        if constexpr (!is_common_option<T>) {
          most = std::max(most, nearfar::registered::choices_of<T>.size());
        }
      },
      options);
  return most;
}

}  // namespace support
