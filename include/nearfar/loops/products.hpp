#pragma once

#include "nearfar/loops/range.hpp"
#include "nearfar/loops/set.hpp"

/// \file
/// The matrix products of all losses. Each is a serial loop over a piece of the result, so that
/// threads can divide the pieces. Every result has an order of accumulation that does not depend on
/// the pieces.

namespace nearfar::detail {

NEARFAR_ALWAYS_INLINE constexpr Index round_up(Index n, Index multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
NEARFAR_ALWAYS_INLINE constexpr Index round_down(Index n, Index multiple) {
  return n / multiple * multiple;
}
NEARFAR_ALWAYS_INLINE constexpr Index tasks_of(Index rows, Index per_task) {
  return (rows + per_task - 1) / per_task;
}

/// Rows of a row panel: the height of the register block, in every instruction set.
inline constexpr Index panel_rows = 6;

/// Row stride, in elements, of buffers whose rows are read by whole vectors, or by whole blocks if
/// they are a factor's columns. With strides of many whole pages all rows would use the same few
/// cache sets, so one cache line is added.
template <class S>
NEARFAR_ALWAYS_INLINE constexpr Index padded_stride(Index cols) {
  // A cache line is at least as long as the vectors of any instruction set.
  constexpr Index line = 64 / Index(sizeof(S));
  const Index stride = round_up(round_up(cols < 1 ? 1 : cols, panel_rows), line);
  return stride * Index(sizeof(S)) % 1024 == 0 ? stride + line : stride;
}

/// The products of one instruction set.
template <class S>
struct ProductLoops {
  /// Elements of a vector.
  Index lanes;
  /// Rows of a column panel: the width of the register block, whole vectors.
  Index panel_cols;

  /// Packs `count` rows of `depth` elements into column panels of panel_cols rows, element by
  /// element: out[(p * depth + k) * panel_cols + r] is element k of row p * panel_cols + r. In a
  /// last panel that is not full, zero rows fill the last vector, and nothing is written beyond it.
  void (*pack_col_panels)(const S* rows, Index stride, Index count, Index depth, S* out);

  /// Scores: C = A B^T, or C += A B^T if `add`, for columns from `col_begin` (where a vector
  /// begins) to the end of the vector that contains column col_end - 1. `a` has
  /// row_panels * panel_rows rows, `b` has column panels, both of depth `depth`; C starts (at `c`)
  /// with A's first row and column col_begin. `b` has `col_panels` column panels: those after
  /// col_end, which the next call probably reads, are prefetched.
  void (*multiply_panels)(const S* a, Index a_stride, const S* b, Index depth, Index row_panels,
                          Index col_begin, Index col_end, Index col_panels, S* c, Index c_stride,
                          bool add);

  /// C += W Y for `row_panels` panels of panel_rows rows of W, all of depth `keys`, and `cols` (a
  /// column_block) columns: W(r, j) = w[r * w_stride + j], Y(j, d) = y[j * y_stride + d]. Y has
  /// `y_rows` rows: those after `keys` are prefetched.
  void (*multiply_rows)(const S* w, Index w_stride, Index row_panels, Index keys, const S* y,
                        Index y_stride, Index y_rows, Index cols, S* c, Index c_stride);

  /// C += W^T X for `key_panels` panels of panel_rows columns of W, all of depth `rows`:
  /// W(i, j) = w[i * w_stride + j], X(i, d) = x[i * x_stride + d], d = 0 .. cols-1. The rows of X
  /// and C are padded to whole vectors.
  void (*multiply_transposed)(const S* w, Index w_stride, Index key_panels, Index rows, const S* x,
                              Index x_stride, Index cols, S* c, Index c_stride);

  /// to(j, i) = from(i, j), i = 0 .. rows-1, j = 0 .. cols-1, both numbers multiples of `lanes`.
  void (*transpose)(const S* from, Index from_stride, S* to, Index to_stride, Index rows,
                    Index cols);
};

/// The products of the selected instruction set; S is float or double.
template <class S>
const ProductLoops<S>& product_loops();

/// Some columns of a factor.
struct Columns {
  Index first;
  Index count;
};

/// The number of blocks of `cols` columns, with `lanes` and `panel_cols` of ProductLoops.
NEARFAR_ALWAYS_INLINE constexpr Index column_blocks(Index panel_cols, Index cols) {
  return tasks_of(cols, panel_cols);
}
template <class S>
NEARFAR_ALWAYS_INLINE Index column_blocks(const ProductLoops<S>& loops, Index cols) {
  return column_blocks(loops.panel_cols, cols);
}

/// Block t of them: whole vectors, of about equal width, because a narrow block does not keep the
/// multiply-add units busy.
NEARFAR_ALWAYS_INLINE constexpr Columns column_block(Index lanes, Index panel_cols, Index t,
                                                     Index cols) {
  const Index vectors = tasks_of(cols, lanes);
  const Index blocks = column_blocks(panel_cols, cols);
  const Index first = vectors * t / blocks * lanes;
  return {first, vectors * (t + 1) / blocks * lanes - first};
}
template <class S>
NEARFAR_ALWAYS_INLINE Columns column_block(const ProductLoops<S>& loops, Index t, Index cols) {
  return column_block(loops.lanes, loops.panel_cols, t, cols);
}

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/products.hpp"
#endif
