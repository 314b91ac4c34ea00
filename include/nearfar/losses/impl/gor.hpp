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
/// `sum` has memory for twice as many doubles as a row has elements.
template <class S, class Frame>
double sum_of_cosines(Frame& call, const PackedRows<S>& u, double* sum) {
  double* of_pairs = sum + u.depth;
  std::fill_n(sum, 2 * u.depth, 0.0);
  const auto add = [&] {
    each_column_block(u.depth, call.threads(), [&](Index begin, Index end) {
      for (Index i = 0; i < u.rows; ++i) {
        for (Index k = begin; k < end; ++k) {
          const double v = direction(u, i, k);
          of_pairs[k] += sum[k] * v;
          sum[k] += v;
        }
      }
    });
  };
  call.sum_over_rows(sum, 2 * u.depth, add, [&](double* to, const double* more) {
    for (Index k = 0; k < u.depth; ++k) {
      to[u.depth + k] += more[u.depth + k] + to[k] * more[k];
      to[k] += more[k];
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
/// i: from the cosines of all pairs.
inline double sum_of_squares_by_pairs(Scratch& scratch, int threads, const PackedRows<double>& u,
                                      RowGradients<double>& gradients) {
  const KernelValue<double> kernel = kernel_value<double>(InnerProduct());
  OneSidedPass<double> pass(scratch, threads, kernel, u, u, Pairing::upper);
  SquaresTerm<double> term(scratch, u.rows);
  Diagnostics range;
  if (gradients.wanted()) {
    pass.forward_backward(term, gradients, gradients, range);
  } else {
    pass.forward(term, range);
  }
  double sum = 0;
  for (Index i = 0; i < u.rows; ++i) sum += term.sum(i);
  return sum;
}

/// The same by U^T U of the rows of all processes, of which u are this one's.
template <class Frame>
double sum_of_squares_by_columns(Frame& call, const PackedRows<double>& u,
                                 RowGradients<double>& gradients) {
  const int threads = call.threads();
  const Index n = u.rows;
  double* squares = nullptr;
  double* own = nullptr;
  call.agree([&] {
    squares = call.scratch().template take<double>(u.depth);
    own = call.scratch().template take<double>(n);
  });
  const SquareMatrix<double> gram = transposed_product(call, u, u);
  const RowLoops<double>& loops = row_loops<double>();
  each_row(u.depth, threads,
           [&](Index k) { squares[k] = loops.dot_in_double(u.depth, gram.row(k), gram.row(k)); });
  each_row(n, threads, [&](Index i) { own[i] = loops.dot_in_double(u.depth, u.row(i), u.row(i)); });
  double of_all = 0;
  for (Index k = 0; k < u.depth; ++k) of_all += squares[k];
  double sum = of_all;
  const auto subtract_own = [&] {
    for (Index i = 0; i < n; ++i) sum -= own[i] * own[i];
  };
  call.sum_over_rows(&sum, 1, subtract_own,
                     [&](double* to, const double* more) { *to -= of_all - *more; });
  if (gradients.wanted()) {
    call.agree([&] {
      each_product_row(call.scratch(), threads, u, gram, [&](Index i, const double* products) {
        const double* row = u.row(i);
        double* to = gradients.data + i * u.stride;
        for (Index k = 0; k < u.depth; ++k) to[k] = products[k] - own[i] * row[k];
      });
    });
  }
  return std::max(sum, 0.0) / 2;
}

/// The loss in the frame of one process or of many. One process may take the cosines of all pairs,
/// of which small batches have fewer than U^T U has elements.
template <class S, class Frame>
Result gor(const GorOptions& options, Frame& call, bool by_pairs) {
  const Index n = call.all_rows(0);
  const Index own = call.own_rows(0);
  Result result;
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  if (n < 2) {
    call.scatter(0);
    return result;
  }

  const PackedRows<S>& u = call.rows(0);
  const auto pairs = static_cast<double>(n) * static_cast<double>(n - 1) / 2;
  RowGradients<S>& gradients = call.gradients(0);
  double* sum = nullptr;
  PackedRows<double> rows;
  RowGradients<double> of_squares;
  call.agree([&] {
    sum = call.scratch().template take<double>(2 * u.depth);
    rows = in_double(call.scratch(), call.threads(), u);
    if (gradients.wanted()) of_squares = take_gradients(call.scratch(), rows);
  });
  const double mean = sum_of_cosines(call, u, sum) / pairs;
  const double squares =
      by_pairs ? sum_of_squares_by_pairs(call.scratch(), call.threads(), rows, of_squares)
               : sum_of_squares_by_columns(call, rows, of_squares);
  const double second = squares / pairs;
  const double excess = second - 1 / static_cast<double>(u.depth);
  result.value =
      options.mean_weight * mean * mean + options.second_moment_weight * std::max(excess, 0.0);
  call.agree([&] {
    if (!is_finite(result.value)) fail_value_overflow(result.value);
  });
  d.terms = d.active_terms = n * (n - 1) / 2;
  if (!call.wants_gradients()) return result;

  if (gradients.wanted()) {
    const double of_mean = 2 * options.mean_weight * mean / pairs;
    const double of_second = excess > 0 ? 2 * options.second_moment_weight / pairs : 0;
    each_row(own, call.threads(), [&](Index i) {
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

template <class S>
Result evaluate(const GorOptions& options, const Inputs<S, 1>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, Reduction::mean, inputs);
  call.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]});
  call.check(n);
  call.pack();
  return gor<S>(options, call, n <= inputs.rows[0].cols());
}

}  // namespace nearfar::detail
