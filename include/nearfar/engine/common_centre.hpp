#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "nearfar/engine/stored_rows.hpp"

/// \file
/// The origin of distances. Distances do not depend on it, but their digits do: the product form
/// |x|^2 + |y|^2 - 2 x.y loses the digits by which |x|^2 exceeds |x - y|^2.

namespace nearfar::detail {

/// The largest power of two that v != 0 is a whole multiple of.
inline double lowest_bit(double v) {
  constexpr int digits = std::numeric_limits<double>::digits - 1;
  const auto bits = std::bit_cast<std::uint64_t>(v);
  const auto exponent = static_cast<int>(bits >> digits & 0x7ff);
  std::uint64_t mantissa = bits & ((std::uint64_t(1) << digits) - 1);
  if (exponent > 0) mantissa |= std::uint64_t(1) << digits;
  constexpr int least = std::numeric_limits<double>::min_exponent - 1;
  const int power = std::countr_zero(mantissa) + std::max(exponent, 1) - 1 + least - digits;
  if (power < least) return std::ldexp(1.0, power);
  return std::bit_cast<double>(static_cast<std::uint64_t>(power - least + 1) << digits);
}

/// The mean of all rows. If the elements of rows lie on a lattice (integers, binary codes,
/// multiples of 1/4), it is the lattice point next to the mean: differences from it, and distances
/// of integers, are then exact.
template <class S>
class CommonCentre {
 public:
  /// For rows of `depth` elements; without rows at first.
  CommonCentre(Scratch& scratch, Index depth)
      : depth_(depth), numbers_(scratch.take<double>(4 * depth)), point_(scratch.take<S>(depth)) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    std::fill_n(sum(), depth, 0.0);
    std::fill_n(step(), depth, infinity);
    std::fill_n(smallest(), depth, infinity);
    std::fill_n(largest(), depth, -infinity);
  }

  /// Adds rows. Each element's sum runs in the order of rows.
  void add(const Rows<S>& x, int threads) {
    constexpr Index columns = 64;
    parallel_tasks((x.cols() + columns - 1) / columns, threads, [&](Index t, int) {
      const Index first = t * columns;
      const Index end = std::min(x.cols(), first + columns);
      bool on_lattice = std::all_of(step() + first, step() + end, [](double s) { return s > 0; });
      for (Index i = 0; i < x.rows(); ++i) {
        S buffer[columns];
        const S* row = read_part(x, i, first, end - first, buffer);
        row_loops<S>().add_in_double(end - first, row, sum() + first);
        // Ordinary rows are on no lattice after the second or third of them.
        for (Index c = first; c < end && on_lattice; ++c) on_lattice = see(c, row[c - first]);
      }
    });
  }

  /// The sums, for the next process to continue.
  double* numbers() { return numbers_; }
  Index size() const { return 4 * depth_; }

  /// The centre of `rows` rows.
  const S* point(Index rows) {
    const bool on_lattice =
        std::all_of(step(), step() + depth_, [](double one) { return one > 0; });
    for (Index c = 0; c < depth_; ++c) {
      const double mean = sum()[c] / static_cast<double>(std::max<Index>(rows, 1));
      const bool rounds = on_lattice && is_finite(step()[c]);
      // for a sum that has overflowed: any finite centre is right
      point_[c] = !is_finite(mean) ? S(0)
                  : rounds         ? static_cast<S>(std::round(mean / step()[c]) * step()[c])
                                   : static_cast<S>(mean);
    }
    return point_;
  }

 private:
  double* sum() const { return numbers_; }
  /// The largest power of two of which all elements of a column are multiples: infinite for zeros,
  /// 0 once multiples of it up to the column's range are not exact in S.
  double* step() const { return numbers_ + depth_; }
  double* smallest() const { return numbers_ + 2 * depth_; }
  double* largest() const { return numbers_ + 3 * depth_; }

  /// Updates the lattice of column c; returns whether it still has one.
  bool see(Index c, S element) {
    const auto v = static_cast<double>(element);
    if (v != 0) step()[c] = std::min(step()[c], lowest_bit(v));
    smallest()[c] = std::min(smallest()[c], v);
    largest()[c] = std::max(largest()[c], v);
    // With a few digits in reserve, so that ordinary rows are rejected early.
    constexpr auto multiples =
        static_cast<double>(std::int64_t(1) << (std::numeric_limits<S>::digits - 4));
    if (largest()[c] - smallest()[c] > multiples * step()[c]) step()[c] = 0;
    return step()[c] > 0;
  }

  Index depth_;
  double* numbers_;
  S* point_;
};

/// The centre of sets of rows of equal width.
template <class S>
const S* common_centre(Scratch& scratch, int threads, std::span<const Rows<S>> sets) {
  CommonCentre<S> centre(scratch, sets[0].cols());
  Index rows = 0;
  for (const Rows<S>& set : sets) {
    centre.add(set, threads);
    rows += set.rows();
  }
  return centre.point(rows);
}

}  // namespace nearfar::detail
