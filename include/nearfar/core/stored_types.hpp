#pragma once

#include <Eigen/Core>
#include <type_traits>

#include "nearfar/core/element.hpp"

/// \file
/// The types that rows of a loss may be stored as.

namespace nearfar::detail {

template <class T>
inline constexpr bool is_16_bit =
    std::is_same_v<T, Eigen::bfloat16> || std::is_same_v<T, Eigen::half>;

/// Whether rows of a loss over S may be stored as T.
template <class T, class S>
inline constexpr bool is_stored_as = std::is_same_v<T, S> ||
                                     (std::is_same_v<S, float> && is_16_bit<T>);

template <class T>
inline constexpr Element element_of = std::is_same_v<T, Eigen::bfloat16> ? Element::bfloat16
                                      : std::is_same_v<T, Eigen::half>   ? Element::half
                                                                         : Element::scalar;

/// The scalar type of losses over rows that are stored as T.
template <class T>
using ScalarOfStored = std::conditional_t<is_16_bit<T>, float, T>;

/// Bytes of an element of a loss over S.
template <class S>
constexpr Eigen::Index bytes_of(Element element) {
  return element == Element::scalar ? Eigen::Index(sizeof(S)) : Eigen::Index(2);
}

}  // namespace nearfar::detail
