#pragma once

#include <algorithm>
#include <cmath>

#include "nearfar/engine/stored_rows.hpp"
#include "nearfar/loops/bfloat16_products.hpp"

/// \file
/// Rows as the products of Products::bfloat16 take them. A row is a factor times elements of
/// bfloat16, which are those of the caller times a power of two: nothing is rounded, and elements
/// of any size are in the range of the products.

namespace nearfar::detail {

/// Rows of words (see Bfloat16Loops), padded with zeros to whole vectors and whole row panels.
struct Bfloat16Rows {
  const float* words = nullptr;    ///< null where products are of floats
  const float* factors = nullptr;  ///< one a row
  Index stride = 0;

  const float* row(Index i) const { return words + i * stride; }
};

/// The rows of x, which are stored as bfloat16 or have its values. `inverse_norm`, if not null, are
/// the rows' 1/|x|, for the cosine.
inline Bfloat16Rows bfloat16_rows(Scratch& scratch, int threads, const Rows<float>& x,
                                  const double* inverse_norm) {
  const Bfloat16Loops& loops = *bfloat16_loops();
  Bfloat16Rows out;
  out.stride = padded_stride<float>(tasks_of(x.cols(), 2));
  const Index padded_rows = round_up(x.rows(), panel_rows);
  float* words = scratch.take<float>(padded_rows * out.stride);
  float* factors = scratch.take<float>(x.rows());
  each_row(padded_rows, threads, [&](Index i) {
    float* const to = words + i * out.stride;
    std::fill_n(to, out.stride, 0.0f);
    if (i >= x.rows()) return;
    float largest = 0;
    each_part(x, i, [&](Index, Index n, const float* part) {
      if (n > 0) largest = std::max(largest, row_loops<float>().largest_magnitude(n, part));
    });
    // The largest element gets an exponent of 0, as far as the factor is in the range of float.
    const int exponent = largest > 0 ? std::clamp(std::ilogb(largest), -125, 125) : 0;
    each_part(x, i, [&](Index k, Index n, const float* part) {
      static_assert(elements_at_once % 32 == 0);
      loops.words_of_row(n, std::ldexp(1.0f, -exponent), part, to + k / 2);
    });
    const double factor = std::ldexp(inverse_norm != nullptr ? inverse_norm[i] : 1.0, exponent);
    factors[i] = static_cast<float>(factor);
  });
  out.words = words;
  out.factors = factors;
  return out;
}

}  // namespace nearfar::detail
