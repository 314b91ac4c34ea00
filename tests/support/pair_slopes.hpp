#pragma once

#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"

/// \file
/// Losses of pairs by their derivatives with respect to scores.

namespace support {

using oracle::Real;

/// A pair of rows, i of the first set and j of the second, and dL/d(score).
struct PairSlope {
  Index i;
  Index j;
  Real slope;
};

/// Gradients of rows of a and b for a loss with these derivatives.
template <class O, class S>
oracle::Gradients gradients_of(const O& kernel, const Matrix<S>& a, const Matrix<S>& b,
                               const std::vector<PairSlope>& slopes) {
  const oracle::Matrix exact_a = oracle::exact(a);
  const oracle::Matrix exact_b = oracle::exact(b);
  oracle::Gradients out(exact_a, exact_b, 0, 0);
  for (const PairSlope& pair : slopes) {
    out.add(kernel, pair.slope, exact_a, pair.i, exact_b, pair.j);
  }
  return out;
}

/// Compares `got` up to the rounding errors of `size`, the sum of its absolute summands.
template <class S>
void expect_number(double got, Real want, Real size, const char* what) {
  EXPECT_LE(std::abs(static_cast<Real>(got) - want), Tolerance<S>::value * std::max<Real>(size, 0))
      << what << ": got " << got << ", wanted " << want;
}

/// Targets with ties: multiples of 1/4 from 0 to 1.
template <class S>
std::vector<S> random_targets(Index count, std::uint64_t seed) {
  std::vector<S> out;
  for (const int label : random_labels(count, 5, seed)) {
    out.push_back(S(0.25) * static_cast<S>(label));
  }
  return out;
}

}  // namespace support
