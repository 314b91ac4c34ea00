#pragma once

#include <cmath>

#include "nearfar/core/simd.hpp"

/// \file
/// The logistic loss of one logit, for numbers and vectors alike.

namespace nearfar::detail {

/// softplus(z) = log(1 + e^z) = -log sigmoid(-z), and its derivative sigmoid(z), without overflow
/// and, where small, without loss of digits.
template <class T>
struct Softplus {
  T value;
  T slope;

  NEARFAR_ALWAYS_INLINE explicit Softplus(T z) {
    using std::abs;
    using std::exp;
    using std::log1p;
    const T zero = constant<T>(0);
    const T one = constant<T>(1);
    const T e = exp(zero - abs(z));
    value = max(z, zero) + log1p(e);
    const T above = one / (one + e);  // sigmoid(|z|)
    // max(z, 0) == z where z >= 0.
    slope = select_equal(max(z, zero), z, above, e * above);
  }
};

}  // namespace nearfar::detail
