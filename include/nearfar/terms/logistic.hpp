#pragma once

#include <algorithm>
#include <cmath>

#include "nearfar/core/portable_math.hpp"

/// \file
/// The logistic loss of one logit.

namespace nearfar::detail {

/// softplus(z) = log(1 + e^z) = -log sigmoid(-z), and its derivative sigmoid(z), without overflow
/// and with all digits of small values.
template <class S>
struct Softplus {
  S value;
  S slope;

  explicit Softplus(S z) {
    const S e = portable::exp(-std::abs(z));
    value = std::max(z, S(0)) + portable::log1p(e);
    const S above = 1 / (1 + e);  // sigmoid(|z|)
    slope = z >= S(0) ? above : e * above;
  }
};

}  // namespace nearfar::detail
