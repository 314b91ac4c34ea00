#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

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

/// The one process of a call; a Team has the same functions for many.
struct OneProcess {
  template <class Body>
  void agree(const Body& body) const {
    body();
  }
  double largest(double own) const { return own; }
  std::int64_t total(std::int64_t own) const { return own; }
  /// `add` continues the sums of the rows before its own.
  template <class T, class Add>
  void sum_in_order(T*, Index, const Add& add) const {
    add();
  }
};

/// Mean and deviation of norms, and the number of zero rows. Sums are relative to the largest norm,
/// so that none overflows.
template <class Processes>
void measure_norms(const Processes& all, const RowLength* lengths, Index own_rows,
                   CollapseResult& out) {
  double largest = 0;
  for (Index i = 0; i < own_rows; ++i) {
    largest = std::max(largest, lengths[i].norm());
    out.zero_rows += lengths[i].unit > 0 ? 0 : 1;
  }
  largest = all.largest(largest);
  out.zero_rows = all.total(out.zero_rows);
  if (!(largest > 0)) return;
  const auto n = static_cast<double>(out.rows);
  double sum = 0;
  all.sum_in_order(&sum, 1, [&] {
    for (Index i = 0; i < own_rows; ++i) sum += lengths[i].norm() / largest;
  });
  const double mean = sum / n;
  double squares = 0;
  all.sum_in_order(&squares, 1, [&] {
    for (Index i = 0; i < own_rows; ++i) {
      const double off = lengths[i].norm() / largest - mean;
      squares += off * off;
    }
  });
  out.mean_norm = std::min(mean, 1.0) * largest;
  out.norm_deviation = std::sqrt(squares / n) * largest;
}

/// Mean of u_i . u_j over i < j, u_i = x_i / |x_i| or 0, for at least two rows of `cols` elements.
/// Each row is multiplied by the sum of those before it: |sum_i u_i|^2 would contain the u_i . u_i,
/// and subtracting them loses digits.
template <class S, class Processes>
double mean_cosine(const Processes& all, Scratch& scratch, int threads, const Rows<S>& x,
                   Index cols, const RowLength* lengths, Index rows) {
  // The summands of each column, in row order.
  double* sums = nullptr;
  all.agree([&] { sums = scratch.take<double>(2 * cols); });
  std::fill_n(sums, 2 * cols, 0.0);
  double* of_sum = sums;
  double* of_pairs = sums + cols;
  constexpr Index columns = 64;
  all.sum_in_order(sums, 2 * cols, [&] {
    parallel_tasks(tasks_of(cols, columns), threads, [&](Index t, int) {
      const Index begin = t * columns;
      const Index end = std::min(cols, begin + columns);
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
  });
  double pairs = 0;
  for (Index k = 0; k < cols; ++k) pairs += of_pairs[k];
  const auto n = static_cast<double>(rows);
  return std::clamp(2 * pairs / (n * (n - 1)), -1.0, 1.0);
}

/// X^T X, or X X^T, of rows divided by `unit` > 0, in double, before any row is added.
class GramSum {
 public:
  GramSum(Scratch& scratch, Index size)
      : size_(size),
        stride_(padded_stride<double>(size)),
        gram_(scratch.take<double>(count())),
        piece_(scratch.take<double>(height * stride_)) {
    std::fill_n(gram_, count(), 0.0);
  }

  /// Of all sums, in order of `data`.
  Index count() const { return tasks_of(size_, panel_rows) * panel_rows * stride_; }
  double* data() { return gram_; }

  /// Adds rows of X, or columns of it as rows. Each element's sum has one order at any number of
  /// threads.
  template <class S>
  void add(int threads, const Rows<S>& x, double unit, bool of_columns) {
    const ProductLoops<double>& loops = product_loops<double>();
    const Index panels = tasks_of(size_, panel_rows);
    const Index depth = of_columns ? x.rows() : x.cols();
    // Pieces W of these rows, with W^T W added to the result.
    for (Index first = 0; first < depth; first += height) {
      const Index count = std::min(height, depth - first);
      parallel_tasks(count, threads, [&](Index r, int) {
        double* to = piece_ + r * stride_;
        const Index t = first + r;
        for (Index j = 0; j < size_; ++j) {
          to[j] = static_cast<double>(of_columns ? x.row(t)[j] : x.row(j)[t]) / unit;
        }
        std::fill(to + size_, to + stride_, 0.0);
      });
      parallel_tasks(panels, threads, [&](Index p, int) {
        const Index row = p * panel_rows;
        const Index col = round_down(row, loops.panel_cols);
        loops.multiply_transposed(piece_ + row, stride_, 1, count, piece_ + col, stride_,
                                  size_ - col, gram_ + row * stride_ + col, stride_);
      });
    }
  }

  UpperGram sum() const { return {gram_, size_, stride_}; }

 private:
  static constexpr Index height = 192;

  Index size_;
  Index stride_;
  double* gram_;
  double* piece_;
};

/// The measures of out.rows rows of `cols` elements, of which x are this process's. The Gram matrix
/// is that of columns, or of one process's rows.
template <class S, class Processes>
void measure_collapse(const Processes& all, const CollapseOptions& options, Scratch& scratch,
                      int threads, const Rows<S>& x, Index cols, bool of_columns,
                      double (*rank_of_gram)(const UpperGram&), CollapseResult& out) {
  const RowLength* lengths = nullptr;
  all.agree([&] { lengths = lengths_of(scratch, threads, x); });
  measure_norms(all, lengths, x.rows(), out);
  if (out.rows > 1) {
    out.mean_cosine = mean_cosine(all, scratch, threads, x, cols, lengths, out.rows);
  }
  if (!options.effective_rank || out.zero_rows == out.rows) return;
  double unit = 0;
  for (Index i = 0; i < x.rows(); ++i) unit = std::max(unit, lengths[i].unit);
  unit = all.largest(unit);
  std::optional<GramSum> gram;
  all.agree([&] { gram.emplace(scratch, of_columns ? cols : x.rows()); });
  all.sum_in_order(gram->data(), gram->count(), [&] { gram->add(threads, x, unit, of_columns); });
  all.agree([&] { out.effective_rank = rank_of_gram(gram->sum()); });
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
  measure_collapse(OneProcess(), options, call.scratch(), call.threads(), x, x.cols(),
                   x.cols() <= x.rows(), rank_of_gram, out);
  return out;
}

}  // namespace nearfar::detail
