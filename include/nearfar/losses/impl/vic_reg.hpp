#pragma once

#include <cmath>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/column_statistics.hpp"
#include "nearfar/engine/square_products.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/losses/vic_reg.hpp"

namespace nearfar::detail {

/// Throws unless a number of rows has variances, or is 0.
inline void check_free_rows(Index n) {
  if (n == 1) fail_argument("view1", "at least two rows, which have variances", "1 row");
}

/// Variance and covariance of one view, in the frame of one process or of many.
template <class S, class Frame>
class ViewSpread {
 public:
  /// Centres packed rows of a set, of which `input` are the own ones, in place; at least two. Sets
  /// `value` to the view's two terms with their weights.
  ViewSpread(const VicRegOptions& options, Frame& call, int set, const Rows<S>& input,
             double& value)
      : call_(call), x_(call.rows(set)) {
    const PackedRows<S>& x = x_;
    const int threads = call.threads();
    const Index free = call.all_rows(set) - 1;
    const auto free_rows = static_cast<double>(free);
    const auto depth = static_cast<double>(x.depth);
    double* squares = nullptr;
    call.agree([&] {
      slopes_ = call.scratch().template take<double>(x.depth);
      squares = call.scratch().template take<double>(x.depth);
    });
    const ColumnStatistics of = column_statistics(call, input, free + 1, free);
    each_row(x.rows, threads, [&](Index i) {
      S* row = x.data + i * x.stride;
      for (Index k = 0; k < x.depth; ++k) {
        row[k] = saturated<S>(of.centred(k, static_cast<double>(row[k]), 1));
      }
    });
    double hinges = 0;
    for (Index k = 0; k < x.depth; ++k) {
      const double length = portable::hypot(of.deviation[k], std::sqrt(options.epsilon));
      hinges += std::max(0.0, 1 - length);
      slopes_[k] =
          length < 1 && length > 0 ? -options.variance / (2 * depth * free_rows * length) : 0;
    }
    covariances_ = transposed_product(call, x, x);
    // They become, in place, the matrix that multiplies rows in their gradient.
    const double share = 1 / free_rows;
    const S factor = saturated<S>(4 * options.covariance / depth * share * share);
    each_row(x.depth, threads, [&](Index k) {
      S* row = covariances_.row(k);
      row[k] = 0;
      squares[k] = row_loops<S>().dot_in_double(x.depth, row, row) * share * share;
      row_loops<S>().scale(x.depth, factor, row, row);
    });
    double sum = 0;
    for (Index k = 0; k < x.depth; ++k) sum += squares[k];
    value = options.variance / 2 * hinges / depth + options.covariance * sum / depth;
  }

  /// Sets the gradient of both terms, and of invariance / 2 (own - other)^2, for these rows.
  void gradient(double invariance, const Rows<S>& own, const Rows<S>& other,
                RowGradients<S>& to) const {
    if (!to.wanted()) return;
    const auto set_row = [&](Index i, const S* products) {
      const S* z = x_.row(i);
      const S* a = own.row(i);
      const S* b = other.row(i);
      set_from_products(x_.depth, products, to.data + i * x_.stride, [&](Index k) {
        return static_cast<double>(products[k]) + slopes_[k] * static_cast<double>(z[k]) +
               invariance * (static_cast<double>(a[k]) - static_cast<double>(b[k]));
      });
    };
    each_product_row(call_.scratch(), call_.threads(), x_, covariances_, set_row);
  }

 private:
  Frame& call_;
  const PackedRows<S>& x_;
  double* slopes_ = nullptr;     ///< dL/dz_ik = slope_k z_ik of the variance term, z centred
  SquareMatrix<S> covariances_;  ///< the gradient of the covariance term is z times it
};

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result vic_reg(const VicRegOptions& options, Frame& call) {
  const Index n = call.all_rows(0);
  const Index depth = call.rows(0).depth;
  Result result;
  result.diagnostics.anchors = n;
  if (n == 0) {
    call.scatter(0);
    return result;
  }

  const int threads = call.threads();
  const Index own = call.own_rows(0);
  Rows<S> x;
  Rows<S> y;
  double* distances = nullptr;
  call.agree([&] {
    x = as_scalars(call.scratch(), threads, call.input(0));
    y = as_scalars(call.scratch(), threads, call.input(1));
    distances = call.scratch().template take<double>(own);
  });
  each_row(own, threads, [&](Index i) {
    distances[i] = 0;
    for (Index k = 0; k < depth; ++k) {
      const double off = static_cast<double>(x.row(i)[k]) - static_cast<double>(y.row(i)[k]);
      distances[i] += off * off;
    }
  });
  const double elements = static_cast<double>(n) * static_cast<double>(depth);
  const double distance = call.sum(own, [&](Index i) { return distances[i]; });
  double of_x = 0;
  double of_y = 0;
  const ViewSpread<S, Frame> spread_x(options, call, 0, x, of_x);
  const ViewSpread<S, Frame> spread_y(options, call, 1, y, of_y);
  result.value = options.invariance * distance / elements + of_x + of_y;
  if (!is_finite(result.value)) fail_value_overflow(result.value);
  result.diagnostics.terms = result.diagnostics.active_terms = n;
  if (!call.wants_gradients()) return result;

  const double slope = 2 * options.invariance / elements;
  call.agree([&] {
    spread_x.gradient(slope, x, y, call.gradients(0));
    spread_y.gradient(slope, y, x, call.gradients(1));
  });
  call.scatter(call.upstream().scalar());
  return result;
}

template <class S>
Result evaluate(const VicRegOptions& options, const Inputs<S, 2>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  Call<S> call(kernel, Reduction::mean, inputs);
  // Both are query sides: no rows are compared, so no inner product of rows can overflow.
  call.add(Side::query, {"view1", inputs.rows[0], inputs.gradients[0]});
  call.add(Side::query, {"view2", inputs.rows[1], inputs.gradients[1]});
  call.check_same_rows();
  call.check(n);
  check_free_rows(n);
  call.pack();
  return vic_reg<S>(options, call);
}

}  // namespace nearfar::detail
