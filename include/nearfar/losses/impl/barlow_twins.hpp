#pragma once

#include <cmath>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/column_statistics.hpp"
#include "nearfar/engine/square_products.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/losses/barlow_twins.hpp"

namespace nearfar::detail {

/// The standardisation of a view's columns.
struct Standardised {
  ColumnStatistics of;
  double* inverse;  ///< 1 / sqrt(variance + epsilon) of each column, 0 for one of equal elements

  double element(Index k, double x) const { return of.centred(k, x, inverse[k]); }
};

/// Standardises packed rows of a set, of which `input` are the own ones, in place.
template <class S, class Frame>
Standardised standardise(Frame& call, double epsilon, const Rows<S>& input, int set) {
  const PackedRows<S>& x = call.rows(set);
  const Index n = call.all_rows(set);
  Standardised out{column_statistics(call, input, n, n), nullptr};
  call.agree([&] { out.inverse = call.scratch().template take<double>(x.depth); });
  for (Index k = 0; k < x.depth; ++k) {
    const double deviation = out.of.deviation[k];
    const double length = portable::hypot(deviation, std::sqrt(epsilon));
    out.inverse[k] = deviation > 0 ? std::min(1 / length, std::numeric_limits<double>::max()) : 0;
  }
  each_row(x.rows, call.threads(), [&](Index i) {
    S* row = x.data + i * x.stride;
    for (Index k = 0; k < x.depth; ++k) {
      row[k] = static_cast<S>(out.element(k, static_cast<double>(row[k])));
    }
  });
  return out;
}

/// The diagonal of C, in double: for views that are nearly equal C_dd - 1 is a small difference.
template <class S, class Frame>
const double* own_correlations(Frame& call, const Rows<S>& x, const Standardised& of_x,
                               const Rows<S>& y, const Standardised& of_y) {
  const Index cols = x.cols();
  double* out = nullptr;
  call.agree([&] { out = call.scratch().template take<double>(cols); });
  std::fill_n(out, cols, 0.0);
  call.sum_over_rows(out, cols, [&] {
    each_column_block(cols, call.threads(), [&](Index begin, Index end) {
      for (Index i = 0; i < x.rows(); ++i) {
        for (Index k = begin; k < end; ++k) {
          out[k] += of_x.element(k, static_cast<double>(x.row(i)[k])) *
                    of_y.element(k, static_cast<double>(y.row(i)[k]));
        }
      }
    });
  });
  const auto n = static_cast<double>(call.all_rows(0));
  for (Index k = 0; k < cols; ++k) out[k] /= n;
  return out;
}

/// The gradient of rows that were standardised: of `own`, the standardised rows, where the other
/// view's rows times m are dL/d(own). `along`: mean_i of z_ik dL/dz_ik. The mean of dL/dz_ik over i
/// needs no subtraction: it is a mean of standardised rows, 0.
template <class S>
void add_standardised_gradient(Scratch& scratch, int threads, const PackedRows<S>& own,
                               const PackedRows<S>& other, const SquareMatrix<S>& m,
                               const double* inverse, const double* along, RowGradients<S>& to) {
  if (!to.wanted()) return;
  each_product_row(scratch, threads, other, m, [&](Index i, const S* products) {
    const S* z = own.row(i);
    set_from_products(own.depth, products, to.data + i * own.stride, [&](Index k) {
      return inverse[k] * (static_cast<double>(products[k]) - static_cast<double>(z[k]) * along[k]);
    });
  });
}

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result barlow_twins(const BarlowTwinsOptions& options, Frame& call) {
  const Index n = call.all_rows(0);
  Result result;
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  if (n == 0) {
    call.scatter(0);
    return result;
  }

  const int threads = call.threads();
  const PackedRows<S>& z1 = call.rows(0);
  const PackedRows<S>& z2 = call.rows(1);
  const Index depth = z1.depth;
  Rows<S> view1;
  Rows<S> view2;
  double* of_rows = nullptr;
  double* of_columns = nullptr;
  call.agree([&] {
    Scratch& scratch = call.scratch();
    view1 = as_scalars(scratch, threads, call.input(0));
    view2 = as_scalars(scratch, threads, call.input(1));
    of_rows = scratch.take<double>(depth);
    of_columns = scratch.take<double>(depth);
  });
  const Standardised of1 = standardise(call, options.epsilon, view1, 0);
  const Standardised of2 = standardise(call, options.epsilon, view2, 1);
  const double* own = own_correlations(call, view1, of1, view2, of2);
  const SquareMatrix<S> c = transposed_product(call, z1, z2);

  // N C becomes dL/dC / N in place, after the sums of squares off the diagonal, by rows and by
  // columns.
  const double share = 1 / static_cast<double>(n);
  const double slope = 2 * options.lambda * share;
  for (Index k = 0; k < depth; ++k) c.row(k)[k] = 0;
  each_column_block(depth, threads, [&](Index begin, Index end) {
    std::fill(of_columns + begin, of_columns + end, 0.0);
    for (Index k = 0; k < depth; ++k) {
      const S* row = c.row(k);
      for (Index e = begin; e < end; ++e) {
        const double v = static_cast<double>(row[e]) * share;
        of_columns[e] += v * v;
      }
    }
  });
  each_row(depth, threads, [&](Index k) {
    S* row = c.row(k);
    of_rows[k] = row_loops<S>().dot_in_double(depth, row, row) * share * share;
    row_loops<S>().scale(depth, saturated<S>(slope * share), row, row);
    row[k] = static_cast<S>(2 * (own[k] - 1) * share);
  });
  for (Index k = 0; k < depth; ++k) {
    const double off = own[k] - 1;
    result.value += off * off + options.lambda * of_rows[k];
    // The means of z_ik dL/dz_ik over i, sum_e C_ke dL/dC_ke / N, replace the sums.
    const double diagonal = 2 * off * share * own[k];
    of_rows[k] = slope * of_rows[k] + diagonal;
    of_columns[k] = slope * of_columns[k] + diagonal;
  }
  if (!is_finite(result.value)) fail_value_overflow(result.value);
  d.terms = d.active_terms = depth * depth;
  if (!call.wants_gradients()) return result;

  call.agree([&] {
    Scratch& scratch = call.scratch();
    if (call.gradients(0).wanted()) {
      add_standardised_gradient(scratch, threads, z1, z2, transposed(scratch, threads, c),
                                of1.inverse, of_rows, call.gradients(0));
    }
    add_standardised_gradient(scratch, threads, z2, z1, c, of2.inverse, of_columns,
                              call.gradients(1));
  });
  call.scatter(call.upstream().scalar());
  return result;
}

template <class S>
Result evaluate(const BarlowTwinsOptions& options, const Inputs<S, 2>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  Call<S> call(kernel, Reduction::mean, inputs);
  // Both are query sides: no rows are compared, so no inner product of rows can overflow.
  call.add(Side::query, {"view1", inputs.rows[0], inputs.gradients[0]});
  call.add(Side::query, {"view2", inputs.rows[1], inputs.gradients[1]});
  call.check_same_rows();
  call.check(inputs.rows[0].rows());
  call.pack();
  return barlow_twins<S>(options, call);
}

}  // namespace nearfar::detail
