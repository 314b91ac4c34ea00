#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/row_scores.hpp"

namespace nearfar {

/// Settings of Alignment.
struct AlignmentOptions {
  double alpha = 2;                       ///< > 0: power of the distance
  Reduction reduction = Reduction::mean;  ///< terms are pairs
};

/// Alignment: how far apart the two rows of a positive pair are on the unit sphere (Wang & Isola,
/// Understanding contrastive representation learning through alignment and uniformity on the
/// hypersphere, 2020, section 4.2):
///
///     L_i = |x_i / |x_i| - y_i / |y_i||^alpha
///
/// Rows need not be normalised; a zero row stays zero, with zero gradient. O(N D) time and memory.
/// Immutable; shared by threads each with its own Workspace; the same bits at any number of
/// threads.
template <class S>
class Alignment {
 public:
  /// Throws std::invalid_argument unless alpha is finite and > 0.
  explicit Alignment(AlignmentOptions options = {}) : options_(options) {
    check_positive("alpha", options.alpha);
  }

  const AlignmentOptions& options() const { return options_; }

  /// The loss of row i of x with row i of y, both N x D. Throws std::invalid_argument on shapes
  /// that do not fit, std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, Rows<S> y, CallOptions<S> call = {}) const {
    return run(nullptr, x, y, no_gradient, no_gradient, call);
  }

  /// Value and gradients of it, N x D. Where two rows coincide and alpha <= 1 the gradient is 0.
  Result forward_backward(Rows<S> x, Rows<S> y, GradientRows<S> dx, GradientRows<S> dy,
                          CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, x.rows());
    return run(&one, x, y, dx, dy, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  Result backward(const Upstream& upstream, Rows<S> x, Rows<S> y, GradientRows<S> dx,
                  GradientRows<S> dy, CallOptions<S> call = {}) const {
    return run(&upstream, x, y, dx, dy, call);
  }

 private:
  Result run(const Upstream* upstream, const Rows<S>& x, const Rows<S>& y, GradientRows<S> dx,
             GradientRows<S> dy, CallOptions<S> call) const;

  AlignmentOptions options_;
};

template <class S>
Result Alignment<S>::run(const Upstream* upstream, const Rows<S>& x, const Rows<S>& y,
                         GradientRows<S> dx, GradientRows<S> dy, CallOptions<S> call) const {
  using detail::Side;
  constexpr Cosine sphere;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = x.rows();
  if (y.rows() != n) fail_shape("y", n, x.cols(), y.rows(), y.cols());
  detail::check_rows<S>(sphere, threads, {{"x", x, Side::query}, {"y", y, Side::key}});
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    dx.check_shape("dx", n, x.cols());
    dy.check_shape("dy", n, y.cols());
    detail::check_parameter_gradient<S>(sphere, call);
  }

  detail::Batch<S, Cosine, 2> batch(scratch, threads, sphere,
                                    {{{"x", x, Side::query}, {"y", y, Side::key}}});
  detail::RowGradients<S> none;
  detail::RowGradients<S>& gx = upstream != nullptr ? batch.want(0, dx, call) : none;
  detail::RowGradients<S>& gy = upstream != nullptr ? batch.want(1, dy, call) : none;
  const detail::PreparedRows<S>& u = batch.rows(0);
  const detail::PreparedRows<S>& v = batch.rows(1);
  double* values = scratch.take<double>(n);
  double* distances = scratch.take<double>(n);
  detail::parallel_tasks(detail::tasks_of(n, detail::rows_per_task), threads, [&](Index t, int) {
    using Row = Eigen::Map<const Vector<S>>;
    using Gradient = Eigen::Map<Vector<S>>;
    const Index end = std::min(n, (t + 1) * detail::rows_per_task);
    for (Index i = t * detail::rows_per_task; i < end; ++i) {
      // From the rows themselves: 2 - 2 cos would lose what is left of a small distance.
      const double squared =
          static_cast<double>(detail::squared_distance_of(u.row(i), v.row(i), u.depth));
      distances[i] = std::sqrt(squared);
      values[i] = std::pow(distances[i], options_.alpha);
      if (upstream == nullptr || !(squared > 0)) continue;
      const S g =
          static_cast<S>(detail::row_upstream(*upstream, i) * options_.alpha * values[i] / squared);
      const Row a(u.row(i), u.depth);
      const Row b(v.row(i), v.depth);
      if (gx.wanted()) Gradient(gx.data + i * u.stride, u.depth) = g * (a - b);
      if (gy.wanted()) Gradient(gy.data + i * v.stride, v.depth) = g * (b - a);
    }
  });

  Result result;
  Diagnostics& d = result.diagnostics;
  d.anchors = d.terms = n;
  for (Index i = 0; i < n; ++i) {
    d.active_terms += values[i] > 0 ? 1 : 0;
    d.zero_distances += distances[i] > 0 ? 0 : 1;
    d.smallest_score = std::min(d.smallest_score, distances[i]);
    d.largest_score = std::max(d.largest_score, distances[i]);
  }
  detail::reduce_rows(
      options_.reduction, n, [&](Index i) { return values[i]; }, result);
  if (upstream == nullptr) return result;
  batch.hand_back(detail::gradient_scale(options_.reduction, d, *upstream), {&dx, &dy}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
extern template class Alignment<float>;
extern template class Alignment<double>;
#endif

}  // namespace nearfar
