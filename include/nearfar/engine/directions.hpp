#pragma once

#include <limits>
#include <span>

#include "nearfar/engine/common_centre.hpp"
#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Differences of directions u = x / |x| of rows packed for the cosine. Directions that are nearly
/// the same differ in digits that a float near one does not have: differences are computed in
/// double.

namespace nearfar::detail {

/// Unit rows in double whose difference is shorter than this differ by rounding errors alone.
inline constexpr double direction_rounding = 4 * std::numeric_limits<double>::epsilon();

/// |u_i - v_j|^2, element by element in double; 0 if it consists of rounding errors.
template <class S>
double squared_difference(const PackedRows<S>& u, Index i, const PackedRows<S>& v, Index j) {
  double sum = 0;
  for (Index k = 0; k < u.depth; ++k) {
    const double difference = direction(u, i, k) - direction(v, j, k);
    sum += difference * difference;
  }
  return sum > direction_rounding * direction_rounding ? sum : 0;
}

/// to += slope (u_i - v_j), likewise.
template <class S>
void add_difference(double slope, const PackedRows<S>& u, Index i, const PackedRows<S>& v, Index j,
                    S* to) {
  for (Index k = 0; k < u.depth; ++k) {
    to[k] += static_cast<S>(slope * (direction(u, i, k) - direction(v, j, k)));
  }
}

/// Directions of rows places[0 .. count - 1] of `unit`, relative to `centre`. Distances do not
/// depend on the centre.
template <class S>
Rows<S> directions_from(const S* centre, Scratch& scratch, int threads, const PackedRows<S>& unit,
                        const Index* places, Index count) {
  S* from_centre = scratch.take<S>(count * unit.depth);
  each_row(count, threads, [&](Index r) {
    S* to = from_centre + r * unit.depth;
    for (Index k = 0; k < unit.depth; ++k) {
      to[k] = static_cast<S>(direction(unit, places[r], k) - static_cast<double>(centre[k]));
    }
  });
  return Rows<S>(from_centre, count, unit.depth);
}

/// The same relative to their common centre, packed for distances.
template <class S>
PackedRows<S> centred_directions(Scratch& scratch, int threads, const KernelValue<S>& distance,
                                 const PackedRows<S>& unit, const Index* places, Index count) {
  const Rows<S> all(unit.data, unit.rows, unit.depth, unit.stride);
  const S* centre = common_centre(scratch, threads, std::span<const Rows<S>>(&all, 1));
  const Rows<S> rows = directions_from(centre, scratch, threads, unit, places, count);
  const S* centred_already = nullptr;
  return pack(scratch, threads, distance, rows, false, centred_already);
}

}  // namespace nearfar::detail
