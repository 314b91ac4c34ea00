#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "nearfar/core/errors.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/terms/log_sum.hpp"
#include "nearfar/terms/logistic.hpp"

/// \file
/// The loss of numbers that should have the order of their targets: one logarithm over all pairs.

namespace nearfar::detail {

/// A value, its derivative with respect to the scale, and the number of ordered pairs.
struct OrderedPairs {
  double value = 0;
  double d_scale = 0;
  std::int64_t pairs = 0;
};

/// With x_i = scale nearness(i):
///
///     L = log(1 + sum over (i, j) with target(i) < target(j) of exp(x_i - x_j))
///
/// in O(n log n). Sorted by target, the pairs of a row are all rows before its group of equal
/// targets and all rows behind it; running logarithms hold their sums. Writes slopes[i] = dL/dx_i.
/// Throws std::domain_error if x or L overflows double.
template <class Nearness, class Target>
OrderedPairs ordered_pairs(Scratch& scratch, Index n, double scale, const Nearness& nearness,
                           const Target& target, double* slopes) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  OrderedPairs out;
  Index* order = scratch.take<Index>(n);
  double* before = scratch.take<double>(n);  // by rank: log of the sum of exp(x) of lower targets
  std::iota(order, order + n, Index(0));
  std::sort(order, order + n, [&](Index i, Index j) {
    return target(i) != target(j) ? target(i) < target(j) : i < j;
  });
  const auto x = [&](Index rank) { return scale * nearness(order[rank]); };
  const auto same_target = [&](Index rank, Index other) {
    return target(order[rank]) == target(order[other]);
  };
  const auto add = [](double exponent, LogSum<double>& sum) {
    if (exponent == infinity) fail_value_overflow(exponent);
    if (exponent == -infinity) return;
    sum.raise(exponent);
    sum.sum += portable::exp(exponent - sum.best);
  };

  LogSum<double> lower;
  LogSum<double> all;
  for (Index first = 0, end = 0; first < n; first = end) {
    const double sum = lower.value();
    while (end < n && same_target(first, end)) ++end;
    for (Index rank = first; rank < end; ++rank) {
      before[rank] = sum;
      add(sum - x(rank), all);
    }
    for (Index rank = first; rank < end; ++rank) {
      if (!is_finite(x(rank))) fail_value_overflow(x(rank));
      add(x(rank), lower);
    }
    out.pairs += static_cast<std::int64_t>(end - first) * first;
  }
  if (out.pairs > 0) out.value = Softplus<double>(all.value()).value;
  if (!is_finite(out.value)) fail_value_overflow(out.value);

  // A pair's share of dL/dx is exp(x_i - x_j - L), at most 1.
  const auto share = [&](double exponent) {
    return portable::exp(std::min(exponent - out.value, 0.0));
  };
  LogSum<double> higher;  // of exp(-x)
  for (Index end = n, first = n; end > 0; end = first) {
    const double sum = higher.value();
    while (first > 0 && same_target(end - 1, first - 1)) --first;
    for (Index rank = first; rank < end; ++rank) {
      slopes[order[rank]] = share(x(rank) + sum) - share(before[rank] - x(rank));
    }
    for (Index rank = first; rank < end; ++rank) add(-x(rank), higher);
  }
  // Slopes sum to zero: nearness may be relative to any of them.
  for (Index i = 0; i < n; ++i) out.d_scale += slopes[i] * (nearness(i) - nearness(0));
  return out;
}

}  // namespace nearfar::detail
