#pragma once

#include <array>
#include <nearfar/engine/common_centre.hpp>
#include <nearfar/engine/packed_rows.hpp>

/// \file
/// Packed rows for a score pass without the frame of a call.

namespace support {

using nearfar::Matrix;
using nearfar::Rows;
using nearfar::detail::KernelValue;
using nearfar::detail::PackedRows;
using nearfar::detail::RowGradients;
using nearfar::detail::Scratch;

/// Two sets for a kernel without a matrix.
template <class S>
std::array<PackedRows<S>, 2> pack_both(Scratch& scratch, int threads, const KernelValue<S>& kernel,
                                       const Rows<S>& x, const Rows<S>& y) {
  const std::array<Rows<S>, 2> sets{x, y};
  const S* centre = nullptr;
  if (kernel.is_distance()) {
    centre = nearfar::detail::common_centre<S>(scratch, threads, sets);
  }
  return {nearfar::detail::pack(scratch, threads, kernel, x, false, centre),
          nearfar::detail::pack(scratch, threads, kernel, y, false, centre)};
}

/// A set for a comparison with itself.
template <class S>
PackedRows<S> pack_one(Scratch& scratch, int threads, const KernelValue<S>& kernel,
                       const Rows<S>& x) {
  const S* centre = nullptr;
  if (kernel.is_distance()) {
    centre = nearfar::detail::common_centre<S>(scratch, threads, {&x, 1});
  }
  return nearfar::detail::pack(scratch, threads, kernel, x, false, centre);
}

/// The gradients of packed rows as a matrix.
template <class S>
Matrix<S> matrix_of(const RowGradients<S>& g, const PackedRows<S>& x) {
  return Eigen::Map<const Matrix<S>, 0, Eigen::OuterStride<>>(g.data, x.rows, x.depth,
                                                              Eigen::OuterStride<>(x.stride));
}

}  // namespace support
