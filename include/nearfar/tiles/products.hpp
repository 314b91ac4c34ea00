#pragma once

#include <algorithm>
#include <cstring>

#include "nearfar/tiles/register_block.hpp"

/// \file
/// The three matrix products every loss is made of, each a serial function over a piece of the
/// result, so that the pieces can be shared out to threads. Every result has a fixed order of
/// accumulation, whatever the pieces.

namespace nearfar::detail {

constexpr Index round_up(Index n, Index multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
constexpr Index round_down(Index n, Index multiple) { return n / multiple * multiple; }

/// Row stride, in elements, of buffers whose rows are read by whole vectors, or by whole blocks
/// when they are a factor's columns. Strides of many whole pages would put all rows into the same
/// few cache sets: they are broken by one cache line.
template <class S>
constexpr Index padded_stride(Index cols) {
  const Index line = std::max<Index>(Vec<S>::lanes, 64 / Index(sizeof(S)));
  const Index stride = round_up(round_up(std::max<Index>(cols, 1), BlockShape<S>::rows), line);
  return stride * Index(sizeof(S)) % 1024 == 0 ? stride + line : stride;
}

/// Packs rows first .. first + count - 1 into panels of `width` rows, element by element:
/// out[(p * depth + k) * width + r] is element k of row p * width + r. A last panel that is not
/// full is padded with zero rows.
template <int width, class S>
void pack_panels(const S* rows, Index stride, Index count, Index depth, S* out) {
  for (Index p = 0; p < count; p += width) {
    const Index have = std::min<Index>(width, count - p);
    const S* from = rows + p * stride;
    S* to = out + p * depth;
    if (have < width) std::memset(to, 0, sizeof(S) * static_cast<std::size_t>(width * depth));
    // Blocks of elements short enough that the lines written stay in the first cache.
    constexpr Index block = 32;
    for (Index k0 = 0; k0 < depth; k0 += block) {
      const Index k1 = std::min(depth, k0 + block);
      for (Index r = 0; r < have; ++r) {
        for (Index k = k0; k < k1; ++k) to[k * width + r] = from[r * stride + k];
      }
    }
  }
}

/// Scores: C = A B^T. `a` holds panels of BlockShape::rows rows, `b` panels of BlockShape::cols,
/// both `depth` deep; C gets row panels [row_begin, row_end) and column panels [col_begin,
/// col_end), and starts (at `c`) with panel row 0 and panel column `col_origin`.
template <class S>
void multiply_panels(const S* a, const S* b, Index depth, Index row_begin, Index row_end,
                     Index col_begin, Index col_end, Index col_origin, S* c, Index c_stride) {
  using Shape = BlockShape<S>;
  for (Index q = col_begin; q < col_end; ++q) {
    for (Index p = row_begin; p < row_end; ++p) {
      register_block<Shape::rows, Shape::vectors>(
          depth, a + p * Shape::rows * depth, std::integral_constant<Index, 1>{},
          Index(Shape::rows), b + q * Shape::cols * depth, Index(Shape::cols),
          c + p * Shape::rows * c_stride + (q - col_origin) * Shape::cols, c_stride, false);
    }
  }
}

/// One register block wherever it lies, as wide as `cols` (a multiple of the lanes) asks.
template <class S, class ARow>
NEARFAR_ALWAYS_INLINE void block_of_width(Index cols, Index depth, const S* a, ARow a_row,
                                          Index a_depth, const S* b, Index b_depth, S* c,
                                          Index c_row, bool add) {
  using Shape = BlockShape<S>;
  if (cols >= Shape::cols) {
    register_block<Shape::rows, Shape::vectors>(depth, a, a_row, a_depth, b, b_depth, c, c_row,
                                                add);
  } else {
    register_block<Shape::rows, 1>(depth, a, a_row, a_depth, b, b_depth, c, c_row, add);
  }
}

/// C (+)= W Y for `row_panels` panels of BlockShape::rows rows of W, all of depth `keys`:
/// W(r, j) = w[r * w_stride + j], Y(j, d) = y[j * y_stride + d], d = 0 .. cols-1. The rows of Y and
/// C are padded to whole vectors; `add` keeps what C holds.
template <class S>
void multiply_rows(const S* w, Index w_stride, Index row_panels, Index keys, const S* y,
                   Index y_stride, Index cols, S* c, Index c_stride, bool add) {
  using Shape = BlockShape<S>;
  // Keys a pass: a pass's piece of Y (keys x block columns) serves every row panel from cache.
  constexpr Index pass = 192;
  for (Index j = 0; j < keys || j == 0; j += pass) {
    const Index depth = std::min(pass, keys - j);
    for (Index d = 0; d < cols; d += Shape::cols) {
      for (Index p = 0; p < row_panels; ++p) {
        block_of_width(round_up(cols - d, Shape::lanes), depth, w + p * Shape::rows * w_stride + j,
                       w_stride, 1, y + j * y_stride + d, y_stride,
                       c + p * Shape::rows * c_stride + d, c_stride, add || j > 0);
      }
    }
  }
}

/// C (+)= W^T X for `key_panels` panels of BlockShape::rows columns of W, all of depth `rows`:
/// W(i, j) = w[i * w_stride + j], X(i, d) = x[i * x_stride + d].
template <class S>
void multiply_transposed(const S* w, Index w_stride, Index key_panels, Index rows, const S* x,
                         Index x_stride, Index cols, S* c, Index c_stride, bool add) {
  using Shape = BlockShape<S>;
  for (Index d = 0; d < cols; d += Shape::cols) {
    for (Index p = 0; p < key_panels; ++p) {
      block_of_width(round_up(cols - d, Shape::lanes), rows, w + p * Shape::rows,
                     std::integral_constant<Index, 1>{}, w_stride, x + d, x_stride,
                     c + p * Shape::rows * c_stride + d, c_stride, add);
    }
  }
}

}  // namespace nearfar::detail
