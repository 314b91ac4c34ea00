#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <type_traits>

#include "nearfar/engine/common_centre.hpp"
#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Differences of directions u = x / |x| of rows packed for the cosine. Directions that are nearly
/// the same differ in digits that a float near one does not have: differences are computed in
/// double.

namespace nearfar::detail {

/// Unit rows in double whose difference is shorter than this differ by rounding errors alone.
inline constexpr double direction_rounding = 4 * std::numeric_limits<double>::epsilon();

/// Directions whose squared distance is below this differ in digits that norms of packed rows do
/// not have: see refine_norm. Above, a float's rounding is less than 1e-6 of the distance.
inline constexpr double near_directions = 0.01;

/// Gives row i its norm in a double's digits. Packing adds squares in a float's, whose rounding may
/// be longer than the difference of two directions.
template <class S>
void refine_norm(const PackedRows<S>& x, Index i) {
  if constexpr (std::is_same_v<S, float>) {
    if (!(x.inverse_norm[i] > 0)) return;  // a zero row
    const Index above = x.input.rows();
    const Rows<S>& from = i < above ? x.input : x.below;
    const Index row = i < above ? i : i - above;
    double squares = 0;
    if (from.element() == Element::scalar) {
      squares = row_loops<S>().dot_in_double(x.depth, from.row(row), from.row(row));
    } else {
      for (Index k = 0; k < x.depth; ++k) {
        const auto element = static_cast<double>(from(row, k));
        squares += element * element;
      }
    }
    x.inverse_norm[i] = 1 / std::sqrt(squares);
  }
}
template <class S>
void refine_norms(int threads, const PackedRows<S>& x) {
  each_row(x.rows, threads, [&](Index i) { refine_norm(x, i); });
}

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

/// Directions of rows places[0 .. count - 1] of `unit`, relative to `centre`; refines their norms.
/// Distances do not depend on the centre.
template <class S>
Rows<S> directions_from(const S* centre, Scratch& scratch, int threads, const PackedRows<S>& unit,
                        const Index* places, Index count) {
  S* from_centre = scratch.take<S>(count * unit.depth);
  each_row(count, threads, [&](Index r) {
    S* to = from_centre + r * unit.depth;
    refine_norm(unit, places[r]);
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
