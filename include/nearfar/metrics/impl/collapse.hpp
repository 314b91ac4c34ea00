#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/engine/call.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/loops/products.hpp"
#include "nearfar/metrics/collapse.hpp"

namespace nearfar::detail {

/// A row's length as unit x length; the product may overflow.
struct RowLength {
  double unit;    ///< largest magnitude of an element; 0 for a zero row
  double length;  ///< |x| / unit; 1 for a zero row

  double norm() const { return std::min(unit * length, std::numeric_limits<double>::max()); }
};

template <class S>
RowLength length_of(const S* x, Index n) {
  RowLength out{0, 1};
  for (Index k = 0; k < n; ++k) out.unit = std::max(out.unit, std::abs(static_cast<double>(x[k])));
  if (!(out.unit > 0)) return out;
  double sum = 0;
  for (Index k = 0; k < n; ++k) {
    const double share = static_cast<double>(x[k]) / out.unit;
    sum += share * share;
  }
  out.length = std::sqrt(sum);
  return out;
}

/// Lengths of all rows.
template <class S>
const RowLength* lengths_of(Scratch& scratch, int threads, const Rows<S>& x) {
  auto* out = scratch.take<RowLength>(x.rows());
  each_row(x.rows(), threads, [&](Index i) { out[i] = length_of(x.row(i), x.cols()); });
  return out;
}

/// Mean and deviation of norms, and the number of zero rows. Sums are relative to the largest norm,
/// so that none overflows.
inline void measure_norms(const RowLength* lengths, Index rows, CollapseResult& out) {
  double largest = 0;
  for (Index i = 0; i < rows; ++i) {
    largest = std::max(largest, lengths[i].norm());
    out.zero_rows += lengths[i].unit > 0 ? 0 : 1;
  }
  if (!(largest > 0)) return;
  const auto n = static_cast<double>(rows);
  double sum = 0;
  for (Index i = 0; i < rows; ++i) sum += lengths[i].norm() / largest;
  const double mean = sum / n;
  double squares = 0;
  for (Index i = 0; i < rows; ++i) {
    const double off = lengths[i].norm() / largest - mean;
    squares += off * off;
  }
  out.mean_norm = std::min(mean, 1.0) * largest;
  out.norm_deviation = std::sqrt(squares / n) * largest;
}

/// Mean of u_i . u_j over i < j, u_i = x_i / |x_i| or 0, for at least two rows. Each row is
/// multiplied by the sum of those before it: |sum_i u_i|^2 would contain the u_i . u_i, and
/// subtracting them loses digits.
template <class S>
double mean_cosine(Scratch& scratch, int threads, const Rows<S>& x, const RowLength* lengths) {
  // The summand of each column, in row order.
  auto* of_sum = scratch.take<double>(x.cols());
  auto* of_pairs = scratch.take<double>(x.cols());
  constexpr Index columns = 64;
  parallel_tasks(tasks_of(x.cols(), columns), threads, [&](Index t, int) {
    const Index begin = t * columns;
    const Index end = std::min(x.cols(), begin + columns);
    std::fill(of_sum + begin, of_sum + end, 0.0);
    std::fill(of_pairs + begin, of_pairs + end, 0.0);
    for (Index i = 0; i < x.rows(); ++i) {
      const RowLength& row = lengths[i];
      if (!(row.unit > 0)) continue;
      for (Index k = begin; k < end; ++k) {
        const double u = static_cast<double>(x.row(i)[k]) / row.unit / row.length;
        of_pairs[k] += of_sum[k] * u;
        of_sum[k] += u;
      }
    }
  });
  double pairs = 0;
  for (Index k = 0; k < x.cols(); ++k) pairs += of_pairs[k];
  const auto n = static_cast<double>(x.rows());
  return std::clamp(2 * pairs / (n * (n - 1)), -1.0, 1.0);
}

/// X^T X, or X X^T if that is smaller, of rows divided by `unit` > 0, in double. Each element's sum
/// has one order at any number of threads.
template <class S>
UpperGram upper_gram(Scratch& scratch, int threads, const Rows<S>& x, double unit) {
  const ProductLoops<double>& loops = product_loops<double>();
  const bool of_columns = x.cols() <= x.rows();
  const Index size = of_columns ? x.cols() : x.rows();
  const Index depth = of_columns ? x.rows() : x.cols();
  const Index stride = padded_stride<double>(size);
  const Index panels = tasks_of(size, panel_rows);
  double* gram = scratch.take<double>(panels * panel_rows * stride);
  std::fill_n(gram, panels * panel_rows * stride, 0.0);
  // A piece of W, with W^T W the result: some rows of X, or some columns of it as rows.
  constexpr Index height = 192;
  double* w = scratch.take<double>(height * stride);
  for (Index first = 0; first < depth; first += height) {
    const Index count = std::min(height, depth - first);
    parallel_tasks(count, threads, [&](Index r, int) {
      double* to = w + r * stride;
      const Index t = first + r;
      for (Index j = 0; j < size; ++j) {
        to[j] = static_cast<double>(of_columns ? x.row(t)[j] : x.row(j)[t]) / unit;
      }
      std::fill(to + size, to + stride, 0.0);
    });
    parallel_tasks(panels, threads, [&](Index p, int) {
      const Index row = p * panel_rows;
      const Index col = round_down(row, loops.panel_cols);
      loops.multiply_transposed(w + row, stride, 1, count, w + col, stride, size - col,
                                gram + row * stride + col, stride);
    });
  }
  return {gram, size, stride};
}

template <class S>
CollapseResult evaluate(const CollapseOptions& options, const Rows<S>& given,
                        const CallOptions<S>& options_of_call,
                        double (*rank_of_gram)(const UpperGram&)) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, Reduction::none, Inputs<S, 2>{{}, {}, false, options_of_call});
  if (options_of_call.d_parameter.wanted()) {
    fail_argument("d_parameter", "a kernel with a matrix (Mahalanobis, Bilinear)",
                  "a kernel without one");
  }
  call.add(Side::query, {"x", given});
  call.check(0);
  call.check_before_packing();
  const Rows<S> x = as_scalars(call.scratch(), call.threads(), given);
  CollapseResult out;
  out.rows = x.rows();
  if (x.rows() == 0) return out;
  const RowLength* lengths = lengths_of(call.scratch(), call.threads(), x);
  measure_norms(lengths, x.rows(), out);
  if (x.rows() > 1) out.mean_cosine = mean_cosine(call.scratch(), call.threads(), x, lengths);
  if (!options.effective_rank || out.zero_rows == out.rows) return out;
  double unit = 0;
  for (Index i = 0; i < x.rows(); ++i) unit = std::max(unit, lengths[i].unit);
  out.effective_rank = rank_of_gram(upper_gram(call.scratch(), call.threads(), x, unit));
  return out;
}

}  // namespace nearfar::detail
