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
constexpr Index tasks_of(Index rows, Index per_task) { return (rows + per_task - 1) / per_task; }

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

/// C = A B, or C += A B where `add`: one register block, as wide as `cols` (a multiple of the
/// lanes, at most `vectors` of them) asks.
template <int vectors, class S, class ARow, class Ahead>
NEARFAR_ALWAYS_INLINE void block_of_width(Index cols, Index depth, const S* a, ARow a_row,
                                          Index a_depth, const S* b, Index b_depth, S* c,
                                          Index c_row, bool add, const Ahead& ahead) {
  using Shape = BlockShape<S>;
  if constexpr (vectors > 1) {
    if (cols < vectors * Shape::lanes) {
      block_of_width<vectors - 1>(cols, depth, a, a_row, a_depth, b, b_depth, c, c_row, add, ahead);
      return;
    }
  }
  register_block<Shape::rows, vectors>(depth, a, a_row, a_depth, b, b_depth, c, c_row, add, ahead);
}

/// Scores: C = A B^T for columns from `col_begin` (where a vector begins) to the end of column
/// panel col_end - 1. `a` holds panels of BlockShape::rows rows, `b` panels of BlockShape::cols,
/// both `depth` deep; C gets row panels [0, row_panels), and starts (at `c`) with panel row 0 and
/// column col_begin.
template <class S>
void multiply_panels(const S* a, const S* b, Index depth, Index row_panels, Index col_begin,
                     Index col_end, S* c, Index c_stride) {
  using Shape = BlockShape<S>;
  // So deep that a column panel's piece stays in the first cache while all row panels use it.
  constexpr Index deepest = (Index(1) << 15) / (Shape::cols * Index(sizeof(S)));
  const Index pieces = std::max<Index>(1, tasks_of(depth, deepest));
  for (Index q = col_begin / Shape::cols; q < col_end; ++q) {
    const Index skipped = std::max<Index>(col_begin - q * Shape::cols, 0);
    for (Index piece = 0; piece < pieces; ++piece) {
      const Index k0 = depth * piece / pieces;
      const Index k1 = depth * (piece + 1) / pieces;
      const S* from = b + (q * depth + k0) * Shape::cols;
      // Elements of the next piece, which follows this one, to fetch a step.
      const Index share = tasks_of(Shape::cols, row_panels);
      for (Index p = 0; p < row_panels; ++p) {
        const S* next = from + (k1 - k0) * (Shape::cols + p * share);
        block_of_width<Shape::vectors>(
            Shape::cols - skipped, k1 - k0, a + (p * depth + k0) * Shape::rows,
            std::integral_constant<Index, 1>{}, Index(Shape::rows), from + skipped,
            Index(Shape::cols),
            c + p * Shape::rows * c_stride + (q * Shape::cols + skipped - col_begin), c_stride,
            piece > 0, [&](Index k) NEARFAR_LAMBDA_INLINE { fetch(next + k * share); });
      }
    }
  }
}

/// Some columns of a factor.
struct Columns {
  Index first;
  Index count;
};

/// Blocks that `cols` columns are taken in.
template <class S>
Index column_blocks(Index cols) {
  return tasks_of(cols, BlockShape<S>::cols);
}

/// Block t of them: whole vectors, shared out evenly, for a narrow block does not keep the
/// multiply-add units busy.
template <class S>
Columns column_block(Index t, Index cols) {
  using Shape = BlockShape<S>;
  const Index vectors = tasks_of(cols, Shape::lanes);
  const Index blocks = column_blocks<S>(cols);
  const Index first = vectors * t / blocks * Shape::lanes;
  return {first, vectors * (t + 1) / blocks * Shape::lanes - first};
}

/// C += W Y for `row_panels` panels of BlockShape::rows rows of W, all of depth `keys`, and `cols`
/// (a column_block) columns: W(r, j) = w[r * w_stride + j], Y(j, d) = y[j * y_stride + d].
template <class S>
void multiply_rows(const S* w, Index w_stride, Index row_panels, Index keys, const S* y,
                   Index y_stride, Index cols, S* c, Index c_stride) {
  using Shape = BlockShape<S>;
  // Keys a pass: a pass's piece of Y serves every row panel from the first cache, with room for
  // what else goes through it.
  constexpr Index pass = (Index(1) << 14) / (Shape::cols * Index(sizeof(S)));
  const Index share = tasks_of(pass, row_panels);
  for (Index j = 0; j < keys; j += pass) {
    const Index depth = std::min(pass, keys - j);
    for (Index p = 0; p < row_panels; ++p) {
      const S* next = y + (j + pass + p * share) * y_stride;
      const Index step = share * y_stride / pass;
      block_of_width<Shape::vectors>(
          cols, depth, w + p * Shape::rows * w_stride + j, w_stride, 1, y + j * y_stride, y_stride,
          c + p * Shape::rows * c_stride, c_stride, true,
          [&](Index k) NEARFAR_LAMBDA_INLINE { fetch(next + k * step); });
    }
  }
}

/// C += W^T X for `key_panels` panels of BlockShape::rows columns of W, all of depth `rows`:
/// W(i, j) = w[i * w_stride + j], X(i, d) = x[i * x_stride + d], d = 0 .. cols-1. The rows of X and
/// C are padded to whole vectors.
template <class S>
void multiply_transposed(const S* w, Index w_stride, Index key_panels, Index rows, const S* x,
                         Index x_stride, Index cols, S* c, Index c_stride) {
  using Shape = BlockShape<S>;
  for (Index t = 0; t < column_blocks<S>(cols); ++t) {
    const Columns d = column_block<S>(t, cols);
    for (Index p = 0; p < key_panels; ++p) {
      const S* panel = w + p * Shape::rows;
      block_of_width<Shape::vectors>(
          d.count, rows, panel, std::integral_constant<Index, 1>{}, w_stride, x + d.first, x_stride,
          c + p * Shape::rows * c_stride + d.first, c_stride, true,
          [&](Index k) NEARFAR_LAMBDA_INLINE { fetch(panel + Shape::rows + k * w_stride); });
    }
  }
}

}  // namespace nearfar::detail
