#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Mean and deviation of each column of a set of rows.

namespace nearfar::detail {

/// Calls body(begin, end) for blocks of columns, one for each thread, so that rows are read in long
/// pieces. For sums over rows in order, which do not depend on the ends of blocks.
template <class Body>
void each_column_block(Index cols, int threads, const Body& body) {
  constexpr Index line = 16;  // elements
  const Index width = std::max(line, round_up(tasks_of(cols, std::max(1, threads)), line));
  parallel_tasks(tasks_of(cols, width), threads,
                 [&](Index t, int) { body(t * width, std::min(cols, (t + 1) * width)); });
}

/// Statistics of columns in double. Each column has a unit, a power of two: elements divided by it
/// are at most 1, so that no square overflows or underflows.
struct ColumnStatistics {
  double* unit;       ///< > 0
  double* mean;       ///< in the unit
  double* deviation;  ///< square root of the variance; 0 for a column of equal elements

  /// Element x of column k less the column's mean, times `factor`.
  double centred(Index k, double x, double factor) const {
    return (x / unit[k] - mean[k]) * (factor * unit[k]);
  }
};

/// The statistics of `rows` > 0 rows, of which x are those of this process of a call (a Call or a
/// ShardedCall); the variance divides by `divisor` > 0. Each column's sums run over rows in order.
template <class S, class Frame>
ColumnStatistics column_statistics(Frame& call, const Rows<S>& x, Index rows, Index divisor) {
  const Index cols = x.cols();
  double* memory = nullptr;
  call.agree([&] { memory = call.scratch().template take<double>(3 * cols); });
  std::fill_n(memory, 3 * cols, 0.0);
  const ColumnStatistics out{memory, memory + cols, memory + 2 * cols};
  const auto each = [&](const auto& body) {
    each_column_block(cols, call.threads(), [&](Index begin, Index end) {
      for (Index i = 0; i < x.rows(); ++i) {
        for (Index k = begin; k < end; ++k) body(k, static_cast<double>(x.row(i)[k]));
      }
    });
  };
  call.sum_over_rows(
      out.unit, cols,
      [&] { each([&](Index k, double v) { out.unit[k] = std::max(out.unit[k], std::abs(v)); }); },
      [&](double* largest, const double* others) {
        for (Index k = 0; k < cols; ++k) largest[k] = std::max(largest[k], others[k]);
      });
  for (Index k = 0; k < cols; ++k) {
    // Powers of two whose inverse is a double.
    constexpr int least = -1000;
    const int exponent = out.unit[k] > 0 ? std::max(std::ilogb(out.unit[k]), least) : 0;
    out.unit[k] = std::ldexp(1.0, exponent);
  }
  call.sum_over_rows(out.mean, cols,
                     [&] { each([&](Index k, double v) { out.mean[k] += v / out.unit[k]; }); });
  const auto count = static_cast<double>(rows);
  for (Index k = 0; k < cols; ++k) out.mean[k] /= count;
  call.sum_over_rows(out.deviation, cols, [&] {
    each([&](Index k, double v) {
      const double off = v / out.unit[k] - out.mean[k];
      out.deviation[k] += off * off;
    });
  });
  for (Index k = 0; k < cols; ++k) {
    // Equal elements differ from their mean by its rounding errors.
    const double rounding = std::numeric_limits<double>::epsilon() * count;
    const double variance = out.deviation[k] / static_cast<double>(divisor);
    const double deviation = variance > rounding * rounding ? std::sqrt(variance) : 0;
    out.deviation[k] = std::min(deviation * out.unit[k], std::numeric_limits<double>::max());
  }
  return out;
}

}  // namespace nearfar::detail
