#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/core/result.hpp>
#include <vector>

#include "support/oracle.hpp"
#include "support/random.hpp"
#include "support/tolerance.hpp"

/// \file
/// A loss against plain loops in long double, and its gradients against differences of these.

namespace support {

using oracle::Real;
using Sets = std::vector<oracle::Matrix>;

/// The derivative of value(x) with respect to element (i, k) of x[set], by steps of h and of h / 2.
template <class Value>
Real derivative(const Value& value, Sets& x, std::size_t set, Index i, Index k, Real h) {
  Real& element = x[set](i, k);
  const Real at = element;
  const auto slope = [&](Real step) {
    element = at + step;
    const Real ahead = value(x);
    element = at - step;
    const Real behind = value(x);
    element = at;
    return (ahead - behind) / (2 * step);
  };
  return (4 * slope(h / 2) - slope(h)) / 3;
}

/// `call(x, g)` is forward_backward of the loss, with g for the first `gradients` sets; `value(x)`
/// is the same in long double. Of large sets a few elements are compared. `scale`: the size of the
/// summands of the value, if they cancel. `h`: a step over which the loss is smooth.
template <class S, class Call, class Value>
nearfar::Result expect_plain_loss(const Call& call, const Value& value,
                                  const std::vector<Matrix<S>>& x, std::size_t gradients,
                                  Real scale = 0, Real h = 2e-4L) {
  Sets exact;
  for (const Matrix<S>& m : x) exact.push_back(oracle::exact(m));
  std::vector<Matrix<S>> g(gradients);
  const nearfar::Result got = call(x, g);
  const Real want = value(exact);
  EXPECT_LE(std::abs(got.value - want), Tolerance<S>::value * std::max(scale, std::abs(want)))
      << "value is " << got.value << ", wanted " << want;
  constexpr double tolerance = 10 * Tolerance<S>::gradient;
  for (std::size_t set = 0; set < gradients; ++set) {
    const Index cols = x[set].cols();
    EXPECT_EQ(g[set].rows(), x[set].rows());
    EXPECT_EQ(g[set].cols(), cols);
    constexpr Index most = 20;
    const Index step = std::max<Index>(1, x[set].size() / most);
    std::vector<std::pair<Real, Real>> pairs;
    Real largest = 0;
    for (Index at = 0; at < x[set].size(); at += step) {
      const Real wanted = derivative(value, exact, set, at / cols, at % cols, h);
      pairs.emplace_back(g[set](at / cols, at % cols), wanted);
      largest = std::max(largest, std::abs(wanted));
    }
    for (const auto& [ours, wanted] : pairs) {
      EXPECT_LE(std::abs(ours - wanted), tolerance * std::max(largest, Real(1e-300L)))
          << "set " << set << ": a gradient is " << ours << ", wanted " << wanted;
    }
  }
  return got;
}

/// Unit rows; a zero row stays zero.
inline oracle::Matrix directions(const oracle::Matrix& x) {
  oracle::Matrix out = x;
  for (Index i = 0; i < x.rows(); ++i) {
    const Real length = oracle::length(oracle::row(x, i));
    if (length > 0) out.row(i) /= length;
  }
  return out;
}

}  // namespace support
