#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/parallel.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// The lattice that rows lie on: integers, binary codes, multiples of 1/4.

namespace nearfar::detail {

/// The largest power of two that v != 0 is a whole multiple of.
inline double lowest_bit(double v) {
  constexpr int digits = std::numeric_limits<double>::digits - 1;
  const auto bits = std::bit_cast<std::uint64_t>(v);
  const auto exponent = static_cast<int>(bits >> digits & 0x7ff);
  std::uint64_t mantissa = bits & ((std::uint64_t(1) << digits) - 1);
  if (exponent > 0) mantissa |= std::uint64_t(1) << digits;
  constexpr int smallest = std::numeric_limits<double>::min_exponent - 1 - digits;
  return std::ldexp(1.0, std::countr_zero(mantissa) + std::max(exponent, 1) - 1 + smallest);
}

/// For each element of some rows the largest power of two that all of them are whole multiples of,
/// while multiples up to their range are exact in S with digits to spare.
template <class S>
class Lattice {
 public:
  Lattice(Scratch& scratch, Index depth)
      : step_(scratch.take<double>(depth)),
        smallest_(scratch.take<S>(depth)),
        largest_(scratch.take<S>(depth)) {
    std::fill_n(step_, depth, std::numeric_limits<double>::infinity());
    std::fill_n(smallest_, depth, std::numeric_limits<S>::infinity());
    std::fill_n(largest_, depth, -std::numeric_limits<S>::infinity());
  }

  /// Further rows. Ends with the first that is on no such lattice: of ordinary rows the second or
  /// third.
  void add(const Rows<S>& x, int threads) {
    constexpr Index columns = 64;
    parallel_tasks((x.cols() + columns - 1) / columns, threads, [&](Index t, int) {
      const Index first = t * columns;
      const Index end = std::min(x.cols(), first + columns);
      for (Index i = 0; i < x.rows() && exists_; ++i) {
        for (Index c = first; c < end; ++c) see(c, x.row(i)[c]);
      }
    });
  }

  /// The point next to v of those of column c; v itself where there is no lattice.
  S nearest(Index c, double v) const {
    if (!std::isfinite(v)) return S(0);  // a sum has overflowed; any finite centre will do
    if (!exists_ || !std::isfinite(step_[c])) return static_cast<S>(v);
    return static_cast<S>(std::round(v / step_[c]) * step_[c]);
  }

 private:
  void see(Index c, S v) {
    if (v != S(0)) step_[c] = std::min(step_[c], lowest_bit(static_cast<double>(v)));
    smallest_[c] = std::min(smallest_[c], v);
    largest_[c] = std::max(largest_[c], v);
    constexpr double most =
        static_cast<double>(std::int64_t(1) << (std::numeric_limits<S>::digits - 4));
    const double range = static_cast<double>(largest_[c]) - static_cast<double>(smallest_[c]);
    if (range > most * step_[c]) exists_ = false;
  }

  double* step_;
  S* smallest_;
  S* largest_;
  std::atomic<bool> exists_ = true;
};

}  // namespace nearfar::detail
