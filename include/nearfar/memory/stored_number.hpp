#pragma once

#include <sstream>
#include <stdexcept>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/numbers.hpp"

/// \file
/// The numbers that memories keep: float, double, or a float in 16 bits.

namespace nearfar::detail {

/// Whether x is a number and not infinite, of any type that memories keep.
template <class T>
bool is_finite_number(T x) {
  return is_finite(static_cast<ScalarOfStored<T>>(x));
}

/// Throws std::domain_error, with its position, for the first element of x in row order that is
/// infinite as T.
template <class T>
void check_fits(const char* name, const Rows<ScalarOfStored<T>>& x) {
  if constexpr (is_16_bit<T>) {
    if (x.element() == element_of<T>) return;
    for (Index i = 0; i < x.rows(); ++i) {
      for (Index k = 0; k < x.cols(); ++k) {
        if (is_finite_number(static_cast<T>(x(i, k)))) continue;
        std::ostringstream text;
        text << "nearfar: " << name << ": wanted elements that fit Eigen::"
             << (element_of<T> == Element::half ? "half" : "bfloat16") << ", got " << x(i, k)
             << " at row " << i << ", column " << k;
        throw std::domain_error(text.str());
      }
    }
  }
}

}  // namespace nearfar::detail
