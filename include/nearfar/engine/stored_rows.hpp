#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/parallel.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/loops/products.hpp"
#include "nearfar/loops/rows.hpp"

/// \file
/// Rows of a caller's as S and gradients back to them, whatever type they are stored as.

namespace nearfar::detail {

/// Rows a task of packing or scattering takes.
inline constexpr Index rows_per_task = 128;

/// body(first, end) for parts of the rows 0 .. rows-1, distributed over threads.
template <class Body>
void each_part_of_rows(Index rows, int threads, const Body& body) {
  parallel_tasks(tasks_of(rows, rows_per_task), threads, [&](Index t, int) {
    body(t * rows_per_task, std::min(rows, (t + 1) * rows_per_task));
  });
}

/// body(i) for i = 0 .. rows-1, likewise.
template <class Body>
void each_row(Index rows, int threads, const Body& body) {
  each_part_of_rows(rows, threads, [&](Index first, Index end) {
    for (Index i = first; i < end; ++i) body(i);
  });
}

/// Elements k .. k + n - 1 of row i: where they lie, or in `buffer` if stored in 16 bits.
template <class S>
const S* read_part(const Rows<S>& x, Index i, Index k, Index n, S* buffer) {
  if (x.element() == Element::scalar) return x.row(i) + k;
  row_loops<S>().widen(x.element(), n, x.address(i, k), buffer);
  return buffer;
}

/// Row i: where it lies, or in `buffer`.
template <class S>
const S* read_row(const Rows<S>& x, Index i, S* buffer) {
  return read_part(x, i, Index(0), x.cols(), buffer);
}

/// out = row i.
template <class S>
void copy_row(const Rows<S>& x, Index i, S* out) {
  const S* row = read_row(x, i, out);
  if (row != out) std::copy_n(row, x.cols(), out);
}

/// Elements read at a time where the call has no buffer for a whole row.
inline constexpr Index elements_at_once = 256;

/// body(k, n, part) for the parts of row i: its elements k .. k + n - 1.
template <class S, class Body>
void each_part(const Rows<S>& x, Index i, const Body& body) {
  if (x.element() == Element::scalar) {
    body(Index(0), x.cols(), x.row(i));
    return;
  }
  std::array<S, elements_at_once> buffer;
  for (Index k = 0; k < x.cols(); k += elements_at_once) {
    const Index n = std::min(elements_at_once, x.cols() - k);
    body(k, n, read_part(x, i, k, n, buffer.data()));
  }
}

/// The same rows stored as S: themselves, or a copy.
template <class S>
Rows<S> as_scalars(Scratch& scratch, int threads, const Rows<S>& x) {
  if (x.element() == Element::scalar) return x;
  S* out = scratch.take<S>(x.rows() * x.cols());
  each_row(x.rows(), threads, [&](Index i) { copy_row(x, i, out + i * x.cols()); });
  return {out, x.rows(), x.cols()};
}

/// Whether no element of row i is NaN or infinite.
template <class S>
bool all_finite(const Rows<S>& x, Index i) {
  const RowLoops<S>& loops = row_loops<S>();
  if (x.element() == Element::scalar) return loops.all_finite(x.cols(), x.row(i));
  return loops.all_finite_stored(x.element(), x.cols(), x.address(i));
}

/// body(k, n, sums) for the parts of what row i of `to` will hold in 16 bits, before it is rounded:
/// `from`, added to what is there where the gradient accumulates.
template <class S, class Body>
void each_sum(const GradientRows<S>& to, Index i, Index cols, const S* from, const Body& body) {
  if (!to.accumulates()) {
    body(Index(0), cols, from);
    return;
  }
  std::array<S, elements_at_once> sums;
  for (Index k = 0; k < cols; k += elements_at_once) {
    const Index n = std::min(elements_at_once, cols - k);
    row_loops<S>().widen(to.element(), n, to.address(i, k), sums.data());
    row_loops<S>().add(n, from + k, sums.data());
    body(k, n, sums.data());
  }
}

/// Gradients `from` of the elements of a row to row i of a caller's buffer, which is open.
template <class S>
void write_row(const GradientRows<S>& to, Index i, Index cols, const S* from) {
  const RowLoops<S>& loops = row_loops<S>();
  if (to.element() != Element::scalar) {
    each_sum(to, i, cols, from, [&](Index k, Index n, const S* sums) {
      loops.narrow(to.element(), n, sums, to.address(i, k));
    });
  } else if (to.accumulates()) {
    loops.add(cols, from, to.row(i));
  } else {
    std::copy_n(from, cols, to.row(i));
  }
}

/// Row i is 0.
template <class S>
void clear_row(const GradientRows<S>& to, Index i) {
  std::fill_n(static_cast<char*>(to.address(i)), to.cols() * bytes_of<S>(to.element()), char(0));
}

/// Whether a gradient's type has a smaller range than S.
template <class S>
bool may_overflow(const GradientRows<S>& to) {
  return to.wanted() && to.element() == Element::half;
}

/// Whether write_row keeps all finite numbers finite. The buffer need not be open unless it
/// accumulates.
template <class S>
bool fits(const GradientRows<S>& to, Index i, Index cols, const S* from) {
  if (!may_overflow(to) || cols == 0) return true;
  constexpr S beyond = 65520;  // halves' largest number and half of its last digit
  bool fits = true;
  each_sum(to, i, cols, from, [&](Index, Index n, const S* sums) {
    if (row_loops<S>().largest_magnitude(n, sums) < beyond) return;
    // A buffer that holds infinity or NaN keeps them.
    for (Index k = 0; k < n; ++k)
      fits = fits && !(is_finite(sums[k]) && std::abs(sums[k]) >= beyond);
  });
  return fits;
}

}  // namespace nearfar::detail
