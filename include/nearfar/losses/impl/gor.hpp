#pragma once

#include <algorithm>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/column_statistics.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/square_products.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/losses/gor.hpp"

namespace nearfar::detail {

/// Sums of squared scores of rows, and half their derivatives.
template <class S>
class SquaresTerm final : public RowTerm<S> {
 public:
  SquaresTerm(Scratch& scratch, Index rows) : sums_(scratch.take<double>(rows)) {}

  double sum(Index i) const { return sums_[i]; }

  void start(Index i) override { sums_[i] = 0; }
  void accumulate(Index i, Index, Index n, const S* s) override {
    sums_[i] += row_loops<S>().dot_by_fours(n, s, s);
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S* s, S* g) override { std::copy_n(s, n, g); }

 private:
  double* sums_;
};

/// The sum of all directions, and the sum of u_i . u_j over i < j. Each row is multiplied by the
/// sum of those before it: |sum_i u_i|^2 would contain the u_i . u_i, and subtracting them loses
/// digits.
template <class S>
double sum_of_cosines(Scratch& scratch, int threads, const PackedRows<S>& u, double* sum) {
  double* of_pairs = scratch.take<double>(u.depth);
  each_column_block(u.depth, threads, [&](Index begin, Index end) {
    std::fill(sum + begin, sum + end, 0.0);
    std::fill(of_pairs + begin, of_pairs + end, 0.0);
    for (Index i = 0; i < u.rows; ++i) {
      for (Index k = begin; k < end; ++k) {
        const double v = direction(u, i, k);
        of_pairs[k] += sum[k] * v;
        sum[k] += v;
      }
    }
  });
  double out = 0;
  for (Index k = 0; k < u.depth; ++k) out += of_pairs[k];
  return out;
}

/// Directions in double for the products: M2 - 1/D of well-spread rows is a small difference, which
/// float would round away.
template <class S>
PackedRows<double> in_double(Scratch& scratch, int threads, const PackedRows<S>& u) {
  PackedRows<double> out;
  out.rows = u.rows;
  out.depth = u.depth;
  out.stride = padded_stride<double>(u.depth);
  const Index padded_rows = round_up(u.rows, panel_rows);
  out.data = scratch.take<double>(padded_rows * out.stride);
  each_row(padded_rows, threads, [&](Index i) {
    double* to = out.data + i * out.stride;
    const Index cols = i < u.rows ? u.depth : 0;
    for (Index k = 0; k < cols; ++k) to[k] = direction(u, i, k);
    std::fill(to + cols, to + out.stride, 0.0);
  });
  return out;
}

/// The sum of s_ij^2 over i < j, and in `gradients`, if wanted, sum_{j != i} s_ij u_j for each row
/// i. By U^T U if that has fewer elements than there are cosines.
inline double sum_of_squares(Scratch& scratch, int threads, const PackedRows<double>& u,
                             RowGradients<double>& gradients) {
  const Index n = u.rows;
  double sum = 0;
  if (n <= u.depth) {
    const KernelValue<double> kernel = kernel_value<double>(InnerProduct());
    OneSidedPass<double> pass(scratch, threads, kernel, u, u, Pairing::upper);
    SquaresTerm<double> term(scratch, n);
    Diagnostics range;
    if (gradients.wanted()) {
      pass.forward_backward(term, gradients, gradients, range);
    } else {
      pass.forward(term, range);
    }
    for (Index i = 0; i < n; ++i) sum += term.sum(i);
    return sum;
  }
  const SquareMatrix<double> gram = transposed_product(scratch, threads, u, u);
  const RowLoops<double>& loops = row_loops<double>();
  double* squares = scratch.take<double>(u.depth);
  each_row(u.depth, threads,
           [&](Index k) { squares[k] = loops.dot_in_double(u.depth, gram.row(k), gram.row(k)); });
  double* own = scratch.take<double>(n);
  each_row(n, threads, [&](Index i) { own[i] = loops.dot_in_double(u.depth, u.row(i), u.row(i)); });
  for (Index k = 0; k < u.depth; ++k) sum += squares[k];
  for (Index i = 0; i < n; ++i) sum -= own[i] * own[i];
  if (gradients.wanted()) {
    each_product_row(scratch, threads, u, gram, [&](Index i, const double* products) {
      const double* row = u.row(i);
      double* to = gradients.data + i * u.stride;
      for (Index k = 0; k < u.depth; ++k) to[k] = products[k] - own[i] * row[k];
    });
  }
  return std::max(sum, 0.0) / 2;
}

template <class S>
Result evaluate(const GorOptions& options, const Inputs<S, 1>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, Reduction::mean, inputs);
  call.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]});
  call.check(n);
  call.pack();
  Result result;
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  if (n < 2) {
    call.scatter(0);
    return result;
  }

  const PackedRows<S>& u = call.rows(0);
  const auto pairs = static_cast<double>(n) * static_cast<double>(n - 1) / 2;
  double* sum = call.scratch().template take<double>(u.depth);
  const double mean = sum_of_cosines(call.scratch(), call.threads(), u, sum) / pairs;
  RowGradients<S>& gradients = call.gradients(0);
  const PackedRows<double> rows = in_double(call.scratch(), call.threads(), u);
  RowGradients<double> of_squares;
  if (gradients.wanted()) of_squares = take_gradients(call.scratch(), rows);
  const double second = sum_of_squares(call.scratch(), call.threads(), rows, of_squares) / pairs;
  const double excess = second - 1 / static_cast<double>(u.depth);
  result.value =
      options.mean_weight * mean * mean + options.second_moment_weight * std::max(excess, 0.0);
  if (!is_finite(result.value)) fail_value_overflow(result.value);
  d.terms = d.active_terms = n * (n - 1) / 2;
  if (!call.wants_gradients()) return result;

  if (gradients.wanted()) {
    const double of_mean = 2 * options.mean_weight * mean / pairs;
    const double of_second = excess > 0 ? 2 * options.second_moment_weight / pairs : 0;
    each_row(n, call.threads(), [&](Index i) {
      S* to = gradients.data + i * u.stride;
      const double* of_row = of_squares.data + i * rows.stride;
      for (Index k = 0; k < u.depth; ++k) {
        to[k] = saturated<S>(of_second * of_row[k] + of_mean * (sum[k] - direction(u, i, k)));
      }
    });
  }
  call.scatter(call.upstream().scalar());
  return result;
}

}  // namespace nearfar::detail
