#pragma once

#include "nearfar/core/element.hpp"
#include "nearfar/loops/range.hpp"

/// \file
/// Vector code over one row of numbers, for packing, scaling and adding rows.

namespace nearfar::detail {

/// Functions over n elements. Inputs and outputs may be the same array, and do not overlap
/// otherwise.
template <class S>
struct RowLoops {
  /// x . y, products and sum in double.
  double (*dot_in_double)(Index n, const S* x, const S* y);
  /// x . y, with sums of four products in S and the sum of these in double: for floats the error is
  /// below one rounding of a float, with far fewer conversions. Overflows where S does.
  double (*dot_by_fours)(Index n, const S* x, const S* y);
  S (*dot)(Index n, const S* x, const S* y);
  /// |x - y|^2.
  S (*squared_distance)(Index n, const S* x, const S* y);
  /// The largest |x_k|, n > 0.
  S (*largest_magnitude)(Index n, const S* x);
  /// True if no element is NaN or infinite.
  bool (*all_finite)(Index n, const S* x);
  /// out = x, of elements in 16 bits, exactly. Null for doubles, like the next two.
  void (*widen)(Element element, Index n, const void* x, S* out);
  /// out = x in 16 bits: rounded to nearest, ties to even. Halves are infinite from 65520 on; a
  /// bfloat16 of a finite x is at most the largest finite one.
  void (*narrow)(Element element, Index n, const S* x, void* out);
  /// all_finite of elements in 16 bits.
  bool (*all_finite_stored)(Element element, Index n, const void* x);
  /// Sets out to x - centre, saturated at the largest finite S.
  void (*subtract)(Index n, const S* x, const S* centre, S* out);
  /// Sets out to factor x.
  void (*scale)(Index n, S factor, const S* x, S* out);
  /// Sets out to (high + low) x, for a factor of more digits than S has.
  void (*scale_by_parts)(Index n, S high, S low, const S* x, S* out);
  /// Sets out to factor x, with the product in double.
  void (*scale_in_double)(Index n, double factor, const S* x, S* out);
  /// Sets out to x / divisor.
  void (*divide)(Index n, S divisor, const S* x, S* out);
  /// Sets rows of out to rows of x divided by their lengths, and inverse[i] to 1 / length, up to
  /// the first row the square of whose length overflows, loses digits or is not finite. Returns the
  /// number of rows before it.
  Index (*normalise_rows)(Index rows, Index n, const S* x, Index x_stride, S* out, Index out_stride,
                          double* inverse);
  /// to += x.
  void (*add)(Index n, const S* x, S* to);
  /// to += x, in double.
  void (*add_in_double)(Index n, const S* x, double* to);
  /// to += factor x, fused if the instruction set can.
  void (*add_scaled)(Index n, S factor, const S* x, S* to);
  /// to += factor x, the product rounded first: two of these to a row of zeros commute.
  void (*add_product)(Index n, S factor, const S* x, S* to);
  /// to += factor (x - y), likewise.
  void (*add_scaled_difference)(Index n, S factor, const S* x, const S* y, S* to);
  /// Sets out to factor (g + along x), saturated at the largest finite S.
  void (*chain)(Index n, S factor, S along, const S* x, const S* g, S* out);
};

template <class S>
const RowLoops<S>& row_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/rows.hpp"
#endif
