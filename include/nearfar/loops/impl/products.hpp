#pragma once

#include <cstddef>

#include "nearfar/loops/impl/register_block.hpp"
#include "nearfar/loops/products.hpp"

/// \file
/// Implementation of ProductLoops.

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class S>
void pack_col_panels(const S* rows, Index stride, Index count, Index depth, S* out) {
  constexpr Index width = BlockShape<S>::cols;
  constexpr Index lanes = Vec<S>::lanes;
  for (Index p = 0; p < count; p += width) {
    const S* from = rows + p * stride;
    S* to = out + p * depth;
    const Index have = min<Index>(width, count - p);
    // Squares of whole vectors as far as possible; the rest element by element.
    const Index square_rows = round_down(have, lanes);
    const Index square_depth = round_down(depth, lanes);
    for (Index k = 0; k < square_depth; k += lanes) {
      for (Index r = 0; r < square_rows; r += lanes) {
        transpose_square(from + r * stride + k, stride, to + k * width + r, width);
      }
      for (Index r = square_rows; r < have; ++r) {
        for (Index l = 0; l < lanes; ++l) to[(k + l) * width + r] = from[r * stride + k + l];
      }
    }
    for (Index k = square_depth; k < depth; ++k) {
      for (Index r = 0; r < have; ++r) to[k * width + r] = from[r * stride + k];
    }
    // Products read whole vectors.
    const Index read = round_up(have, lanes);
    for (Index k = 0; k < depth && have < read; ++k) {
      for (Index r = have; r < read; ++r) to[k * width + r] = S(0);
    }
  }
}

/// C = A B, or C += A B if `add`: one register block, of the width that `cols` (a multiple of the
/// lanes, at most `vectors` of them) needs.
template <int vectors, class Multiply, class S, class ARow, class Ahead>
NEARFAR_ALWAYS_INLINE void block_of_width(Index cols, Index depth, const S* a, ARow a_row,
                                          Index a_depth, const S* b, Index b_depth, S* c,
                                          Index c_row, bool add, const Ahead& ahead) {
  using Shape = BlockShape<S>;
  if constexpr (vectors > 1) {
    if (cols < vectors * Shape::lanes) {
      block_of_width<vectors - 1, Multiply>(cols, depth, a, a_row, a_depth, b, b_depth, c, c_row,
                                            add, ahead);
      return;
    }
  }
  register_block<Shape::rows, vectors, Multiply>(depth, a, a_row, a_depth, b, b_depth, c, c_row,
                                                 add, ahead);
}

// Prefetches always lie inside the factor: on some processors a prefetch from an unmapped page
// takes as long as a miss of every cache.

template <class S, class Multiply = MultiplyNumbers>
void multiply_panels(const S* a, Index a_stride, const S* b, Index depth, Index row_panels,
                     Index col_begin, Index col_end, Index col_panels, S* c, Index c_stride,
                     bool add) {
  using Shape = BlockShape<S>;
  // A depth at which a column panel's piece stays in the first cache while all row panels use it.
  constexpr Index deepest = (Index(1) << 15) / (Shape::cols * Index(sizeof(S)));
  const Index pieces = max<Index>(1, tasks_of(depth, deepest));
  // Elements of the next piece to prefetch in each step.
  const Index share = tasks_of(Shape::cols, row_panels);
  for (Index q = col_begin / Shape::cols; q * Shape::cols < col_end; ++q) {
    const Index skipped = max<Index>(col_begin - q * Shape::cols, 0);
    const Index width = min<Index>(Shape::cols, round_up(col_end - q * Shape::cols, Shape::lanes));
    for (Index piece = 0; piece < pieces; ++piece) {
      const Index k0 = depth * piece / pieces;
      const Index k1 = depth * (piece + 1) / pieces;
      const Index begin = (q * depth + k0) * Shape::cols;
      const S* from = b + begin;
      // After the last panel, prefetch its own end again.
      const Index last = col_panels * depth * Shape::cols - (k1 - k0) * share;
      for (Index p = 0; p < row_panels; ++p) {
        const S* next = b + min(begin + (k1 - k0) * (Shape::cols + p * share), last);
        block_of_width<Shape::vectors, Multiply>(
            width - skipped, k1 - k0, a + p * Shape::rows * a_stride + k0, a_stride, 1,
            from + skipped, Index(Shape::cols),
            c + p * Shape::rows * c_stride + (q * Shape::cols + skipped - col_begin), c_stride,
            add || piece > 0, [&](Index k) NEARFAR_LAMBDA_INLINE { fetch(next + k * share); });
      }
    }
  }
}

template <class S, class Multiply = MultiplyNumbers>
void multiply_rows(const S* w, Index w_stride, Index row_panels, Index keys, const S* y,
                   Index y_stride, Index y_rows, Index cols, S* c, Index c_stride) {
  using Shape = BlockShape<S>;
  // Keys of a pass: its piece of Y serves every row panel from the first cache, together with the
  // other data of the loop.
  constexpr Index pass = (Index(1) << 14) / (Shape::cols * Index(sizeof(S)));
  const Index share = tasks_of(pass, row_panels);
  const Index step = share * y_stride / pass;
  for (Index j = 0; j < keys; j += pass) {
    const Index depth = min(pass, keys - j);
    // After the last row, prefetch its own end again.
    const Index last = (y_rows - 1) * y_stride - (depth - 1) * step;
    for (Index p = 0; p < row_panels; ++p) {
      const S* next = y + min((j + pass + p * share) * y_stride, last);
      block_of_width<Shape::vectors, Multiply>(
          cols, depth, w + p * Shape::rows * w_stride + j, w_stride, 1, y + j * y_stride, y_stride,
          c + p * Shape::rows * c_stride, c_stride, true,
          [&](Index k) NEARFAR_LAMBDA_INLINE { fetch(next + k * step); });
    }
  }
}

template <class S, class Multiply = MultiplyNumbers>
void multiply_transposed(const S* w, Index w_stride, Index key_panels, Index rows, const S* x,
                         Index x_stride, Index cols, S* c, Index c_stride) {
  using Shape = BlockShape<S>;
  const Index blocks = column_blocks(Shape::cols, cols);
  for (Index t = 0; t < blocks; ++t) {
    const Columns d = column_block(Shape::lanes, Shape::cols, t, cols);
    for (Index p = 0; p < key_panels; ++p) {
      const S* panel = w + p * Shape::rows;
      // The next block of columns begins with the first panel again.
      const S* next = p + 1 < key_panels ? panel + Shape::rows : t + 1 < blocks ? w : panel;
      block_of_width<Shape::vectors, Multiply>(
          d.count, rows, panel, Constant<Index(1)>{}, w_stride, x + d.first, x_stride,
          c + p * Shape::rows * c_stride + d.first, c_stride, true,
          [&](Index k) NEARFAR_LAMBDA_INLINE { fetch(next + k * w_stride); });
    }
  }
}

template <class S>
void transpose(const S* from, Index from_stride, S* to, Index to_stride, Index rows, Index cols) {
  constexpr Index lanes = Vec<S>::lanes;
  for (Index i = 0; i < rows; i += lanes) {
    for (Index j = 0; j < cols; j += lanes) {
      transpose_square(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    }
  }
}

/// The products compiled for this instruction set.
template <class S>
inline constexpr ProductLoops<S> product_loops_here = {
    BlockShape<S>::lanes, BlockShape<S>::cols,    pack_col_panels<S>, multiply_panels<S>,
    multiply_rows<S>,     multiply_transposed<S>, transpose<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const ProductLoops<S>& product_loops() {
  return product_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
