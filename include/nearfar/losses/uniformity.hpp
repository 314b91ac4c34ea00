#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of Uniformity.
struct UniformityOptions {
  double t = 2;  ///< > 0: the inverse width of the Gaussian
};

namespace detail {

/// Pairs i < j as the walk sees them: sums of exp(2 t (cos - nearest)), the Gaussian of a squared
/// distance 2 - 2 cos in units of the nearest pair's.
template <class S>
class GaussianRows {
 public:
  using Row = double;

  GaussianRows(double t, double nearest) : sharpness_(2 * t), nearest_(nearest) {}

  Row start(Index) const { return 0; }
  void observe(Row& row, Index, Index, Index n, const S* s) const {
    ElementSum<S> sum;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE { sum += gaussian<T>(s + j); });
    row += sum.total();
  }
  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S* s, S* g) const {
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      store(g + j, gaussian<T>(s + j) * constant<T>(sharpness_));
    });
  }

 private:
  template <class T>
  NEARFAR_ALWAYS_INLINE T gaussian(const S* s) const {
    using std::exp;
    return exp((load<T>(s) - constant<T>(nearest_)) * constant<T>(sharpness_));
  }

  double sharpness_;
  double nearest_;
};

/// Only the extremes of the scores, which the walk finds for any loss.
template <class S>
struct Nothing {
  struct Row {};
  Row start(Index) const { return {}; }
  void observe(Row&, Index, Index, Index, const S*) const {}
  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S*, S* g) const { std::fill_n(g, n, S(0)); }
};

}  // namespace detail

/// Uniformity: how evenly rows cover the unit sphere (Wang & Isola, Understanding contrastive
/// representation learning through alignment and uniformity on the hypersphere, 2020,
/// section 4.2), the logarithm of a mean Gaussian potential over pairs:
///
///     L = log( 2 / (N (N - 1)) sum_{i < j} exp(-t |x_i / |x_i| - x_j / |x_j||^2) )
///
/// at most 0, reached when all rows point the same way. Rows need not be normalised; a zero row has
/// cosine 0 with all others and zero gradient. There are no terms to reduce: the value is one
/// logarithm. Fewer than two rows have value 0.
///
/// Extra memory O(N D); 3 N^2 D floating point operations forward and backward. Immutable; shared
/// by threads each with its own Workspace; the same bits at any number of threads.
template <class S>
class Uniformity {
 public:
  /// Throws std::invalid_argument unless t is finite and > 0.
  explicit Uniformity(UniformityOptions options = {}) : options_(options) {
    check_positive("t", options.t);
  }

  const UniformityOptions& options() const { return options_; }

  /// The loss of a batch x (N x D). Throws std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, CallOptions<S> call = {}) const {
    return run(nullptr, x, no_gradient, call);
  }

  /// Value and the gradient of it, N x D.
  Result forward_backward(Rows<S> x, GradientRows<S> dx, CallOptions<S> call = {}) const {
    const Upstream one(1.0);
    return run(&one, x, dx, call);
  }

  /// As forward_backward with the gradient times `upstream` = dL/d(value), one number.
  Result backward(const Upstream& upstream, Rows<S> x, GradientRows<S> dx,
                  CallOptions<S> call = {}) const {
    return run(&upstream, x, dx, call);
  }

 private:
  Result run(const Upstream* upstream, const Rows<S>& x, GradientRows<S> dx,
             CallOptions<S> call) const;

  UniformityOptions options_;
};

template <class S>
Result Uniformity<S>::run(const Upstream* upstream, const Rows<S>& x, GradientRows<S> dx,
                          CallOptions<S> call) const {
  constexpr Cosine sphere;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = x.rows();
  detail::check_rows<S>(sphere, threads, {{"x", x, detail::Side::query}});
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, Reduction::mean, n);
    dx.check_shape("dx", n, x.cols());
    detail::check_parameter_gradient<S>(sphere, call);
  }

  detail::Batch<S, Cosine, 1> batch(scratch, threads, sphere, {{{"x", x, detail::Side::query}}});
  detail::Walk<S, Cosine> walk(scratch, threads, sphere, batch.rows(0), batch.rows(0),
                               detail::Pairing::upper);
  Result result;
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  d.terms = d.active_terms = n * (n - 1) / 2;
  double nearest = 1;
  // Gaussians this narrow may all underflow in units of a pair at distance 0: find the nearest.
  constexpr double narrow = sizeof(S) == sizeof(float) ? 60 : 500;
  if (4 * options_.t > narrow && n > 1) {
    Diagnostics first_look;
    walk.forward(detail::Nothing<S>(), first_look);
    nearest = first_look.largest_score;
  }
  const detail::GaussianRows<S> loss(options_.t, nearest);
  const double* rows = nullptr;
  if (upstream == nullptr) {
    rows = walk.forward(loss, d);
  } else {
    detail::RowGradients<S>& gradients = batch.want(0, dx, call);
    rows = walk.forward_backward(loss, gradients, gradients, d);
  }
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += rows[i];
  if (d.terms > 0) {
    result.value = std::log(sum / static_cast<double>(d.terms)) + 2 * options_.t * (nearest - 1);
  }
  if (upstream == nullptr) return result;
  batch.hand_back(d.terms > 0 ? upstream->scalar() / sum : 0, {&dx}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
extern template class Uniformity<float>;
extern template class Uniformity<double>;
#endif

}  // namespace nearfar
