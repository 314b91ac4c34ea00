#pragma once

#include "nearfar/loops/products.hpp"

/// \file
/// The matrix products of rows of bfloat16, with sums in float. A word is 32 bits, held as a float,
/// and has two bfloat16, the first in its lower half: two consecutive elements of a row or of a
/// column, whose products one instruction adds to a sum.

namespace nearfar::detail {

/// Functions over words. Both factors of a product consist of words along the depth of the product,
/// which is thus half of that of numbers.
struct Bfloat16Loops {
  /// Products of words in place of numbers: the same shapes and layouts, with `depth`, `keys` and
  /// `rows` in words.
  ProductLoops<float> products;

  /// out = words of a row: factor x, rounded to nearest, ties to even. A last word that is not full
  /// is padded with 0. Reads n elements and writes round_up(n, 32) / 2 words.
  void (*words_of_row)(Index n, float factor, const float* x, float* out);

  /// Words of columns from words of two rows: word k of the result has element k of `row` in its
  /// lower half and that of `next` in its upper half. `cols`, a multiple of 16, is the number of
  /// elements.
  void (*words_of_columns)(Index cols, const float* row, const float* next, float* out);

  /// c(r, j) times row[r] col[j]. `cols` is rounded up to whole vectors.
  void (*scale)(Index rows, Index cols, const float* row, const float* col, float* c, Index stride);

  /// Words along rows: out(r, k) has col[j] w(r, j) for j = 2 k and 2 k + 1. There are `out_rows`
  /// rows, those from `rows` on 0, and elements from `cols` on are 0.
  void (*weights_along)(Index rows, Index cols, const float* w, Index stride, const float* col,
                        Index out_rows, float* out, Index out_stride);

  /// Words along columns: out(k, j) has row[r] w(r, j) for r = 2 k and 2 k + 1. Elements from
  /// `cols` on, up to a whole vector, are 0.
  void (*weights_across)(Index rows, Index cols, const float* w, Index stride, const float* row,
                         float* out, Index out_stride);
};

/// Those of the selected instruction set; null if the processor or the set has none.
const Bfloat16Loops* bfloat16_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/bfloat16_products.hpp"
#endif
