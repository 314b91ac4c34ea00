#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/engine/packed_rows.hpp"
#include "nearfar/loops/products.hpp"

/// \file
/// Products with D x D matrices, for losses over columns: X^T Y of two sets of N rows, and the rows
/// of X M. Rows have the layout of PackedRows. Each element's sum has one order at any number of
/// threads: a thread owns rows of the result.

namespace nearfar::detail {

/// A square matrix whose rows are padded with zeros to whole vectors.
template <class S>
struct SquareMatrix {
  S* data;
  Index size;
  Index stride;

  S* row(Index r) const { return data + r * stride; }
  /// Elements with the padding.
  Index count() const { return round_up(size, panel_rows) * stride; }
};

template <class S>
SquareMatrix<S> take_square(Scratch& scratch, Index size) {
  SquareMatrix<S> out{nullptr, size, padded_stride<S>(size)};
  out.data = scratch.take<S>(out.count());
  std::fill_n(out.data, out.count(), S(0));
  return out;
}

/// Adds X^T Y, both N x D, to `out`; of a symmetric product the upper half.
template <class S>
void add_transposed_product(int threads, const PackedRows<S>& x, const PackedRows<S>& y,
                            bool symmetric, const SquareMatrix<S>& out) {
  const ProductLoops<S>& loops = product_loops<S>();
  // Rows of the result of one task, and rows of X whose partial sum is added at once: they stay in
  // a cache with the task's part of the result.
  constexpr Index height = 8 * panel_rows;
  constexpr Index piece = 192;
  parallel_tasks(tasks_of(out.size, height), threads, [&](Index t, int) {
    const Index row = t * height;
    const Index panels = tasks_of(std::min(height, out.size - row), panel_rows);
    const Index col = symmetric ? round_down(row, loops.panel_cols) : 0;
    for (Index first = 0; first < x.rows; first += piece) {
      loops.multiply_transposed(x.row(first) + row, x.stride, panels,
                                std::min(piece, x.rows - first), y.row(first) + col, y.stride,
                                out.size - col, out.row(row) + col, out.stride);
    }
  });
}

/// X^T Y of the rows of all processes of a call (a Call or a ShardedCall), of which x and y are
/// this one's. The product of one set with itself is symmetric.
template <class S, class Frame>
SquareMatrix<S> transposed_product(Frame& call, const PackedRows<S>& x, const PackedRows<S>& y) {
  const bool symmetric = &x == &y;
  SquareMatrix<S> out{};
  call.agree([&] { out = take_square<S>(call.scratch(), x.depth); });
  call.sum_over_rows(out.data, out.count(),
                     [&] { add_transposed_product(call.threads(), x, y, symmetric, out); });
  if (!symmetric) return out;
  each_row(out.size, call.threads(), [&](Index r) {
    for (Index k = 0; k < r; ++k) out.row(r)[k] = out.row(k)[r];
  });
  return out;
}

template <class S>
SquareMatrix<S> transposed(Scratch& scratch, int threads, const SquareMatrix<S>& m) {
  const SquareMatrix<S> out = take_square<S>(scratch, m.size);
  constexpr Index block = 32;
  parallel_tasks(tasks_of(m.size, block), threads, [&](Index t, int) {
    const Index first = t * block;
    const Index end = std::min(m.size, first + block);
    for (Index k = 0; k < m.size; ++k) {
      for (Index r = first; r < end; ++r) out.row(r)[k] = m.row(k)[r];
    }
  });
  return out;
}

/// Calls body(i, p) for each row i of X, with p the D elements of row i of X M.
template <class S, class Body>
void each_product_row(Scratch& scratch, int threads, const PackedRows<S>& x,
                      const SquareMatrix<S>& m, const Body& body) {
  const ProductLoops<S>& loops = product_loops<S>();
  constexpr Index height = 8 * panel_rows;
  const int workers = std::max(1, threads);
  const ScratchLoan loan(scratch);
  S* products = scratch.take<S>(Index(workers) * height * m.stride);
  parallel_tasks(tasks_of(x.rows, height), workers, [&](Index t, int worker) {
    const Index first = t * height;
    const Index count = std::min(height, x.rows - first);
    S* mine = products + Index(worker) * height * m.stride;
    std::fill_n(mine, height * m.stride, S(0));
    for (Index b = 0; b < column_blocks(loops, m.size); ++b) {
      const Columns d = column_block(loops, b, m.size);
      loops.multiply_rows(x.row(first), x.stride, tasks_of(count, panel_rows), m.size,
                          m.data + d.first, m.stride, m.size, d.count, mine + d.first, m.stride);
    }
    for (Index r = 0; r < count; ++r) body(first + r, mine + r * m.stride);
  });
}

/// out[k] = value_of(k), saturated in S, for n elements computed from `products`; infinite if these
/// have overflowed, which the check of gradients detects.
template <class S, class ValueOf>
void set_from_products(Index n, const S* products, S* out, const ValueOf& value_of) {
  for (Index k = 0; k < n; ++k) out[k] = saturated<S>(value_of(k));
  if (!row_loops<S>().all_finite(n, products)) out[0] = std::numeric_limits<S>::infinity();
}

}  // namespace nearfar::detail
