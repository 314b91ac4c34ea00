#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nearfar/core/reduction.hpp>
#include <nearfar/core/result.hpp>
#include <stdexcept>

#include "fuzz/bytes.hpp"

/// \file
/// Promises of calls with gradients: refused with unchanged outputs, or finite; one value with
/// gradients and without; twice the upstream, twice the gradient.

namespace fuzz {

/// The same rows with a gap between them.
template <class S>
class Strided {
 public:
  Strided(const Matrix<S>& m, Index gap) : memory_(m.rows(), m.cols() + gap), cols_(m.cols()) {
    memory_.setConstant(std::numeric_limits<S>::quiet_NaN());
    memory_.leftCols(cols_) = m;
  }
  nearfar::Rows<S> rows() const { return {memory_.data(), memory_.rows(), cols_, memory_.cols()}; }

 private:
  Matrix<S> memory_;
  Index cols_;
};

/// The result of a call of `sets` sets of rows, each with a gradient.
template <class S, std::size_t sets>
struct Answer {
  bool refused = false;
  nearfar::Result result;
  std::array<Matrix<S>, sets> gradients;

  Answer() { gradients.fill(Matrix<S>::Constant(1, 1, S(42))); }
  bool untouched() const {
    return std::all_of(gradients.begin(), gradients.end(), [](const Matrix<S>& g) {
      return g.rows() == 1 && g.cols() == 1 && g(0, 0) == S(42);
    });
  }
};

/// `call(gradients)` returns the result.
template <class S, std::size_t sets, class Call>
Answer<S, sets> answer(const Call& call) {
  Answer<S, sets> out;
  try {
    out.result = call(out.gradients);
  } catch (const std::invalid_argument&) {
    out.refused = true;
  } catch (const std::domain_error&) {
    out.refused = true;
  }
  if (out.refused) {
    require(out.untouched(), "a refused call leaves outputs alone");
  } else {
    require(std::isfinite(out.result.value), "a finite value");
    for (const Matrix<S>& g : out.gradients) require(g.allFinite(), "finite gradients");
  }
  return out;
}

template <class S>
void require_twice(const Matrix<S>& twice, const Matrix<S>& once, double amplification) {
  require(twice.rows() == once.rows() && twice.cols() == once.cols(), "gradients of one shape");
  const double tolerance = 64 * static_cast<double>(std::numeric_limits<S>::epsilon());
  const double most = static_cast<double>(std::numeric_limits<S>::max());
  double largest = 0;
  for (Index k = 0; k < once.size(); ++k) {
    largest = std::max(largest, std::abs(static_cast<double>(once.data()[k])));
  }
  if (largest * 2 >= most) return;  // saturated
  const double floor = 1e3 * amplification * static_cast<double>(std::numeric_limits<S>::min());
  for (Index k = 0; k < once.size(); ++k) {
    const double error =
        std::abs(static_cast<double>(twice.data()[k]) - 2 * static_cast<double>(once.data()[k]));
    require(error <= tolerance * largest + floor, "twice the upstream, twice the gradient");
  }
}

/// True if a row's length is above 0 and below the smallest normal number: in a division by it the
/// gradient's factor saturates, and not the product of the factor and a small number.
template <class S>
bool shorter_than_normal(const Matrix<S>& m) {
  for (Index i = 0; i < m.rows(); ++i) {
    long double squares = 0;
    for (Index j = 0; j < m.cols(); ++j) {
      squares += static_cast<long double>(m(i, j)) * static_cast<long double>(m(i, j));
    }
    const auto least = static_cast<long double>(std::numeric_limits<S>::min());
    if (squares > 0 && std::sqrt(squares) < least) return true;
  }
  return false;
}

/// Checks them. `forward()`, `forward_backward(upstream, gradients)`. `scales`: twice the upstream
/// gives twice the gradient for these rows. `amplification`: the factor by which an option may
/// increase the error of a number near 0.
template <class S, std::size_t sets, class Forward, class ForwardBackward>
Answer<S, sets> promises(bool scales, double amplification, const Forward& forward,
                         const ForwardBackward& forward_backward) {
  const auto once = answer<S, sets>([&](auto& g) { return forward_backward(1.0, g); });
  const auto value = answer<S, sets>([&](auto&) { return forward(); });
  if (once.refused) return once;  // gradients may overflow although values do not
  require(!value.refused, "forward answers where forward_backward does");
  require(value.result.value == once.result.value, "one value, with gradients and without");
  const auto twice = answer<S, sets>([&](auto& g) { return forward_backward(2.0, g); });
  if (twice.refused || !scales) return once;
  for (std::size_t k = 0; k < sets; ++k) {
    require_twice(twice.gradients[k], once.gradients[k], amplification);
  }
  return once;
}

}  // namespace fuzz
